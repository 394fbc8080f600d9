"""The published networks, one file each, the layers that they share, and the registry that lists them."""
