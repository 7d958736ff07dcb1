"""The search for order and placement: what is asked, and the exact engines that answer."""
