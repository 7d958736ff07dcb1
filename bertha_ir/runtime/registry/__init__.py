"""Discovery: which offloads there are, for how long, and how much of each is free."""
