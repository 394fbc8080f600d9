"""The roads of a town: network, maps, OpenDRIVE, ground heights, navigation mesh."""
