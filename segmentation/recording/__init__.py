"""The CARLA client: synchronous mode, the camera pair, the dataset writer."""
