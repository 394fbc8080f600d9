"""Pictures of the town: geometry, light and labels from code alone."""
