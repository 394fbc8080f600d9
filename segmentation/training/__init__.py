"""Train a network: compile it by its recipe, fit it, keep the best, resume, warm start."""
