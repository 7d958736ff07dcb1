"""The names that a field of a record may not have."""

import keyword

# What `typing.NamedTuple` and `tuple` define, and Python's own words.
FIELD_NAMES = frozenset(keyword.kwlist) | frozenset(("count", "index"))
