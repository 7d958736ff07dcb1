"""The P4-16 backend (v1model)."""
