"""Proofs: bodies as z3 terms, what has to be proved, the three answers, and counterexamples that are replayed."""
