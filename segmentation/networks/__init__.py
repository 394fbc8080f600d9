"""The published networks, one file each, and the layers that they share."""
