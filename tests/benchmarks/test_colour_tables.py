"""The page of the colour benchmarks: medians and ranges of the rows, and what is not there yet is said."""

import csv
import sys
from pathlib import Path

import pytest

FOLDER = str(Path(__file__).parents[2] / "benchmarks" / "colour")
COLUMNS = "data recipe seed accuracy teacher agreement images synthesise_cpu_s distill_cpu_s curve".split()


@pytest.fixture
def tables(monkeypatch, tmp_path):
    """Import the script, whose neighbours have names that other folders have too; it writes into a folder of its own."""
    kept = {name: sys.modules.pop(name, None) for name in ("search", "suite", "tables")}
    monkeypatch.syspath_prepend(FOLDER)
    import tables

    for name, path in ("TABLE", "colour.csv"), ("LOG", "colour_log.csv"), ("TARGET", "colour.md"), ("KEPT", "kept"):
        monkeypatch.setattr(tables, name, tmp_path / path)
    yield tables
    for name, module in kept.items():
        sys.modules.pop(name, None)
        if module:
            sys.modules[name] = module


def write(path, *rows):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(dict(zip(COLUMNS, row, strict=True)) for row in rows)


def test_a_page_without_rows_says_what_is_to_do(tables):
    assert "Not finished: 48 runs are to do" in tables.page() and "not run yet" in tables.page()


def test_a_page_has_medians_ranges_minutes_and_a_figure(tables):
    row = lambda seed, right: ("svhn-8000", "rdskd", seed, right, 0.9455, 0.9, 7999, 60, 540, "50:0.2 100:0.8")  # noqa: E731
    write(tables.TABLE, row(0, 0.9), row(1, 0.92), row(2, 0.95))
    page = tables.page()
    assert "Not finished: 45 runs" in page and "7,999 images, of which the teacher reads 94.55 %" in page
    assert "| **92.0** | 90.0 to 95.0 | 0, 1, 2 | 10 | 90 |" in page
    minutes, right = tables.points(tables.read(tables.TABLE)[0])
    assert minutes.tolist() == [5.5, 10] and right.tolist() == [20, 80]  # a minute of the generator comes first
    svg = tables.TARGET.with_name("colour_budget_svhn-8000.svg").read_text()
    assert svg.startswith("<svg") and "CPU minutes" in svg and "colour_budget_svhn-8000.svg" in page
