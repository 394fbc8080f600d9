"""The wire: CARLA's RPC and streaming channels, and how values are encoded on them."""
