"""Real images by name or from a folder."""
