"""Checks an artifact folder again, from what is in it: its files, its ledger, its certificates, its programs."""
