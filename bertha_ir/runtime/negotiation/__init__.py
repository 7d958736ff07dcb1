"""How two ends agree on a plan: the messages, their authentication, and their way over a network that loses some."""
