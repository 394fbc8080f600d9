"""Label ids: what they mean, and how label files store them."""
