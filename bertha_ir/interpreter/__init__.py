"""The reference interpreter of bodies, stacks and device programs."""
