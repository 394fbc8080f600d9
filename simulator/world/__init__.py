"""What lives in a town: the episode, its actors, and how they move."""
