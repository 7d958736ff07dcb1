"""The Python backend: the fallback that is always there."""
