"""The eBPF C backend (XDP and TC)."""
