"""Stored results that a notebook reads: a clone's results/ holds them, and an installed package a copy."""

import csv
from pathlib import Path

from ..weights import ASSETS

PLACES = (Path(str(ASSETS)).parents[1] / "results", Path(str(ASSETS)) / "tables")


def stored(name: str) -> list[dict[str, str | float]]:
    """The rows of results/NAME.csv, numbers as floats and what is blank left as ""."""
    for place in PLACES:
        if (place / f"{name}.csv").is_file():
            with open(place / f"{name}.csv", newline="", encoding="utf-8") as file:
                return [{key: _number(text) for key, text in row.items()} for row in csv.DictReader(file)]
    raise FileNotFoundError(f"this copy has no stored results {name!r}; take results/{name}.csv from the repository")


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
