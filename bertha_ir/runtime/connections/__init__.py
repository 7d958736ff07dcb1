"""Connections over a compiled stack, for asyncio: what `serve` and `connect` are made of."""
