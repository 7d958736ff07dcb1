"""A plan, explained: as text, as drawings and as a page, and what another site would make of it."""
