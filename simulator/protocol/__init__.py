"""CARLA's wire protocol: the RPC and streaming channels, and the encoding of values on them."""
