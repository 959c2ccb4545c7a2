"""A played run: what trains, what is recorded, how it is saved.  Knows no widget."""
