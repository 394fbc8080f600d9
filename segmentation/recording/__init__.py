"""The CARLA client: synchronous mode, cameras, traffic, the dataset writer."""
