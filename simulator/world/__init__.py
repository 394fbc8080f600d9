"""The simulated world: town, actors, motion, traffic lights, and the tick."""
