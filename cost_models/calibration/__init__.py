"""Measures what a host takes for what work: the profile of this machine, and how good a profile is."""
