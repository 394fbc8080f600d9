"""The CARLA client behind 01: server, synchronous mode, traffic, cameras, dataset writer."""
