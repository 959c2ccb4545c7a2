"""Store what ten seeds of a notebook give: `python tools/store_bands.py NAME ...` writes assets/bands.json.

The notebook's own source is executed for seeds 0 to 9, without its exercises and the cells tagged "not-banded", and
what `lesson.band` was told is kept.  So a band is always one of the experiment that the notebook shows.
"""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import sys
from pathlib import Path

import jupytext
from build_notebooks import SOURCES, exercise

from rdskd_lab.course.bands import FILE

SEEDS = range(10)


def run(source: Path, seed: int) -> dict[str, float]:
    """What a notebook's bands are told at a seed."""
    os.environ |= {"RDSKD_LAB_SEED": str(seed), "RDSKD_LAB_MODE": "inline"}
    names = {"__name__": "__main__"}
    for number, cell in enumerate(jupytext.read(source).cells):
        if cell.cell_type == "code" and not exercise(cell) and "not-banded" not in cell.metadata.get("tags", []):
            code = compile(cell.source, f"{source.name} cell {number}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            with contextlib.redirect_stdout(io.StringIO()):
                left = eval(code, names)
                if inspect.iscoroutine(left):
                    asyncio.run(left)
    return names["lesson"].found


def store(notebook: str, found: list[dict[str, float]]) -> None:
    """Put a notebook's values into the file, in the order of the seeds; other notebooks stay as they are."""
    kept = json.loads(FILE.read_text()) if FILE.is_file() else {}
    kept[notebook] = {name: [float(f"{row[name]:.6g}") for row in found] for name in found[0]}
    FILE.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")


if __name__ == "__main__":
    for notebook in sys.argv[1:]:
        rows = []
        for seed in SEEDS:
            rows.append(run(SOURCES / f"{notebook}.py", seed))
            print(notebook, "seed", seed, {name: f"{value:.4g}" for name, value in rows[-1].items()}, flush=True)
        store(notebook, rows)
