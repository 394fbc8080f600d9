"""Where datasets keep their images and labels, and how those pair."""
