"""Stored results for the notebooks: a clone holds them in results/, and an installed package holds a copy."""

from pathlib import Path

from ..networks.weights import ASSETS
from ..runs.compare import read_table

PLACES = (Path(str(ASSETS)).parents[1] / "results", Path(str(ASSETS)) / "tables")


def stored(name: str) -> list[dict]:
    """Return the rows of results/NAME.csv, as `compare.read_table` gives them."""
    for place in PLACES:
        if (place / f"{name}.csv").is_file():
            return read_table(place / f"{name}.csv")
    raise FileNotFoundError(f"this copy has no stored results {name!r}; get results/{name}.csv from the repository")
