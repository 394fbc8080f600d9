"""What the town stands on: the road network, its maps, OpenDRIVE, the navigation mesh."""
