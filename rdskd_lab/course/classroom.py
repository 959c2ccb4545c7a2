"""A class of thirty: each student runs the same experiment with their own seed; one figure shows all results."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..networks.weights import write_whole
from ..reporting.charts import Chart
from ..reporting.style import COLOURS, INK, canvas
from .bands import read_bands

SEEDS = 1_000_000


def student_seed(name: str) -> int:
    """Return a seed from 10 to 999,999: the same on every machine for the same name, however it is spaced."""
    plain = " ".join(name.split()).casefold()
    if not plain:
        raise ValueError('there is no name; say student_seed("your name")')
    return 10 + int.from_bytes(hashlib.sha256(plain.encode()).digest()[:8]) % (SEEDS - 10)  # 0 to 9 made the bands


def write_result(folder: Path | str, notebook: str, seed: int, found: dict[str, float]) -> Path:
    """Write one small JSON file into `folder`: notebook, seed and results.  It contains no name."""
    if not found:
        raise ValueError("there is no result yet; run the cells that print one ('yours ...'), then save again")
    path = Path(folder) / f"{notebook}-{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"notebook": notebook, "seed": seed, "found": found}, indent=2).encode())
    return path


def read_results(folder: Path | str) -> list[dict]:
    """Read all result files of a folder, by seed; any other file is refused by its name."""
    results = [_read(path) for path in sorted(Path(folder).glob("*.json"))]
    if not results:
        raise ValueError(f"{folder} holds no result file; each student writes one with lesson.save_result(folder)")
    notebooks = sorted({result["notebook"] for result in results})
    if len(notebooks) > 1:
        raise ValueError(f"{folder} holds results of {' and '.join(notebooks)}; keep one folder per notebook")
    return sorted(results, key=lambda result: result["seed"])


def _read(path: Path) -> dict:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(result["notebook"], str) and isinstance(result["seed"], int)
        assert all(isinstance(name, str) and np.isfinite(value) for name, value in result["found"].items())
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(f"{path.name} is no result file of the course; take it out of the folder") from error
    return result


def class_figure(folder: Path | str) -> "ClassFigure":
    """Make one figure of a folder of result files: a dot per student, the class's mean, and the ten stored seeds."""
    results = read_results(folder)
    names = sorted({name for result in results for name in result["found"]})
    values = {name: np.array([r["found"][name] for r in results if name in r["found"]]) for name in names}
    return ClassFigure(results[0]["notebook"], values, read_bands(results[0]["notebook"]))


@dataclass
class Figure(Chart):
    """A matplotlib figure with its words: `Figure(title, figure, alt)` as the last line of a cell shows both."""

    title: str
    figure: object
    words: str

    def matplotlib(self):
        return self.figure

    def alt_text(self) -> str:
        return self.words


@dataclass
class ClassFigure(Chart):
    """A row of dots for each result: one dot per student, a bar for mean ± standard deviation, dashes for the stored
    band."""

    title: str
    values: dict[str, np.ndarray]
    bands: dict[str, list[float]]

    def alt_text(self) -> str:
        said = []
        for name, found in self.values.items():
            span = f"from {found.min():.4g} to {found.max():.4g}"
            text = f"{name}: {len(found)} students, mean {found.mean():.4g}, {span}"
            if band := self.bands.get(name):
                inside = int(((found >= min(band)) & (found <= max(band))).sum())
                text += f"; {inside} of them inside the band {min(band):.4g} to {max(band):.4g} of {len(band)} seeds"
            said.append(text)
        return "; ".join(said) + "."

    def matplotlib(self):
        figure, axes = canvas(8, 1.9 * len(self.values) + 0.4, 1, len(self.values))
        for axis, (name, found) in zip(axes, self.values.items(), strict=True):
            heights = _stacked(found)
            axis.plot(found, heights, "o", color=COLOURS[0], mfc="none", ms=8, mew=1.6)
            spread = found.std(ddof=1) if len(found) > 1 else 0
            axis.errorbar(found.mean(), -1, xerr=spread, fmt="D", color=INK, capsize=4)
            below = dict(xytext=(0, -14), textcoords="offset points", ha="center", fontsize=9)
            axis.annotate("mean ± sd", (found.mean(), -1), **below)
            axis.set_title(name, loc="left", fontsize=11, fontweight="bold")
            if band := self.bands.get(name):
                for edge in (min(band), max(band)):
                    axis.axvline(edge, color=COLOURS[1], linestyle="--", linewidth=1.5)
                axis.set_title(f"– – lowest and highest of {len(band)} seeds", loc="right", fontsize=10)
            axis.set(yticks=[], ylim=(-2.2, heights.max() + 0.9))
            axis.spines[["left", "right", "top"]].set_visible(False)
        return figure


def _stacked(values: np.ndarray, bins: int = 40) -> np.ndarray:
    """Return heights that stack dots of nearly the same value."""
    width = (np.ptp(values) or 1.0) / bins
    seen: dict[int, int] = {}
    heights = []
    for value in values:
        place = int(value // width)
        heights.append(seen.get(place, 0))
        seen[place] = heights[-1] + 1
    return np.array(heights)
