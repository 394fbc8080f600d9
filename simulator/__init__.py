"""A small simulated town that speaks CARLA's wire protocol, for machines without CARLA."""
