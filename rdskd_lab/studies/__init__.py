"""The paper's claims as grids of runs."""
