"""What the placement asks of a cost model."""
