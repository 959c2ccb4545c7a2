"""A class: each student has a seed and hands in one small file per notebook; one figure shows all results."""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..networks.weights import expand, write_whole
from ..reporting.charts import Chart
from ..reporting.style import COLOURS, INK, canvas
from .bands import read_bands, typical

SEEDS = 1_000_000
KIND = "rdskd-lab hand-in 1"  # the first entry of a file
STATES = ("solved", "not solved yet", "not tried yet")
LARGEST, MOST, DRAWN = 1_000_000, 50, 12  # bytes of a file, results of a file and of a figure


def student_seed(name: str) -> int:
    """Return a seed from 10 to 999,999: the same name gives the same seed on every machine, whatever its spacing."""
    plain = " ".join(name.split()).casefold()
    if not plain:
        raise ValueError('the name is empty; pass yours, for example student="Ada Lovelace"')
    return 10 + int.from_bytes(hashlib.sha256(plain.encode()).digest()[:8]) % (SEEDS - 10)  # the bands use 0 to 9


@dataclass
class HandIn:
    """What one student hands in for one notebook; `name` is "" if the student gave none."""

    notebook: str
    seed: int
    name: str
    exercises: list[dict]
    predictions: dict[str, str]  # "" if none was typed
    found: dict[str, float]  # the notebook's results
    token: str = ""
    file: str = field(default="", compare=False)

    @property
    def who(self) -> str:
        """The name, or the seed if no name was given."""
        return self.name or f"seed {self.seed}"

    @property
    def solved(self) -> int:
        return sum(row["state"] == "solved" for row in self.exercises)


def write_hand_in(folder: Path | str, hand_in: HandIn) -> Path:
    """Write one small JSON file into `folder`; a second call in the same session replaces it."""
    path = expand(folder) / f"{hand_in.notebook}-{hand_in.seed}-{hand_in.token}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {"kind": KIND} | {key: value for key, value in vars(hand_in).items() if key not in ("token", "file")}
    write_whole(path, json.dumps(kept, indent=1, ensure_ascii=False).encode())
    return path


def read_hand_ins(folder: Path | str) -> tuple[list[HandIn], dict[str, str]]:
    """Read all hand-ins in a folder and its subfolders: (by notebook, student and file; {other file: why not})."""
    found, refused = [], {}
    for path in sorted(Path(folder).rglob("*.json")):
        name = path.relative_to(folder).as_posix().encode(errors="replace").decode()
        try:
            found.append(_read(path, name))
        except (OSError, ValueError) as error:
            refused[name] = str(error)
    return sorted(found, key=lambda one: (one.notebook, one.who.casefold(), one.file)), refused


def _read(path: Path, name: str) -> HandIn:
    """Read one file; raises ValueError with the reason if it is not a hand-in."""
    if not path.is_file() or path.stat().st_size > LARGEST:  # a pipe would be waited for without end
        raise ValueError("no file, or too large for a hand-in")
    try:
        given = json.loads(path.read_text(encoding="utf-8-sig"))
        json.dumps(given, ensure_ascii=False).encode()  # refuses half a letter, which no table could hold
    except (ValueError, RecursionError) as error:
        raise ValueError("damaged: not valid JSON") from error
    if not isinstance(given, dict) or given.get("kind") != KIND:
        raise ValueError("not a hand-in of this course")
    try:
        one = HandIn(**{key: value for key, value in given.items() if key != "kind"}, file=name)
        assert re.fullmatch(r"\w{3,63}", one.notebook) and type(one.seed) is int and isinstance(one.name, str)
        assert all(isinstance(text, str) for text in one.predictions.values())
        assert len(one.found) <= MOST and all(abs(value) < 1e100 for value in one.found.values())
        for number, row in enumerate(one.exercises, 1):
            assert row["number"] == number and row["state"] in STATES and type(row["solution seen"]) is bool
            assert all(type(row[key]) is int and 0 <= row[key] < 1e6 for key in ("hints", "tries"))
            assert row["title"].isprintable() and row["last error"].isprintable()  # or it could forge rows of a table
    except (KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError("damaged: an entry is missing or has the wrong type") from error
    one.name = "".join(filter(str.isprintable, " ".join(one.name.split())))[:80]
    one.found = {key: float(value) for key, value in one.found.items()}  # True, and 10**80, are numbers too
    return one


def class_figure(folder: Path | str, notebook: str = "") -> "ClassFigure":
    """Draw one figure from a folder of hand-ins: a dot per student, the class mean, and the typical range.

    Raises ValueError if the folder holds no results, or results from several notebooks while `notebook` is "".
    """
    results = [one for one in read_hand_ins(folder)[0] if one.found and notebook in ("", one.notebook)]
    if not results:
        raise ValueError(f"{folder} holds no results; each student writes one file with lesson.hand_in(folder)")
    notebooks = sorted({one.notebook for one in results})
    if len(notebooks) > 1:
        raise ValueError(f"{folder} holds results from {' and '.join(notebooks)}; pass notebook= to choose one")
    return figure_of(results)


def figure_of(results: list[HandIn]) -> "ClassFigure":
    """Draw the figure for hand-ins from one notebook."""
    bands, counts = read_bands(results[0].notebook), Counter(name for one in results for name in one.found)
    names = sorted(counts, key=lambda name: (name not in bands, -counts[name], name))[:DRAWN]
    values = {name: np.array([one.found[name] for one in results if name in one.found]) for name in sorted(names)}
    return ClassFigure(results[0].notebook, values, bands, len(counts) - len(names))


@dataclass
class Figure(Chart):
    """A matplotlib figure with its description: `Figure(title, figure, alt)` as the last line of a cell shows both."""

    title: str
    figure: object
    words: str

    def matplotlib(self):
        return self.figure

    def alt_text(self) -> str:
        return self.words


@dataclass
class ClassFigure(Chart):
    """A row of dots for each result: one dot per student, a bar for mean ± standard deviation, dashed lines for
    the typical range."""

    title: str
    values: dict[str, np.ndarray]
    bands: dict[str, list[float]]
    left_out: int = 0

    def alt_text(self) -> str:
        said = []
        for name, found in self.values.items():
            span = f"from {found.min():.4g} to {found.max():.4g}"
            text = f"{name}: {len(found)} students, mean {found.mean():.4g}, {span}"
            if band := self.bands.get(name):
                low, high = typical(band)
                inside = int(((found >= low) & (found <= high)).sum())
                text += f"; {inside} of them inside the typical range {low:.4g} to {high:.4g} ({len(band)} seeds)"
            said.append(text)
        return "; ".join([*said, *self._rest()]) + "."

    def _rest(self) -> list[str]:
        return [f"not drawn: {self.left_out:,} more results, which fewer students have"] * (self.left_out > 0)

    def matplotlib(self):
        figure, axes = canvas(8, 1.9 * len(self.values) + 0.4, 1, len(self.values))
        for axis, (name, found) in zip(axes, self.values.items(), strict=True):
            heights = _stacked(found)
            axis.plot(found, heights, "o", color=COLOURS[0], mfc="none", ms=8, mew=1.6)
            spread = found.std(ddof=1) if len(found) > 1 else 0
            axis.errorbar(found.mean(), -1, xerr=spread, fmt="D", color=INK, capsize=4)
            below = dict(xytext=(0, -14), textcoords="offset points", ha="center", fontsize=9)
            axis.annotate("mean ± sd", (found.mean(), -1), **below)
            axis.set_title(name[:60], loc="left", fontsize=11, fontweight="bold")
            if band := self.bands.get(name):
                for edge in typical(band):
                    axis.axvline(edge, color=COLOURS[1], linestyle="--", linewidth=1.5)
                axis.set_title(f"– – typical range, from {len(band)} seeds", loc="right", fontsize=10)
            axis.set(yticks=[], ylim=(-2.2, heights.max() + 0.9))
            axis.spines[["left", "right", "top"]].set_visible(False)
        axes[-1].set_xlabel(*self._rest() or [""])
        return figure


def _stacked(values: np.ndarray, bins: int = 40) -> np.ndarray:
    """Return heights that stack dots whose values are nearly equal."""
    width = (np.ptp(values) or 1.0) / bins
    seen: dict[int, int] = {}
    heights = []
    for value in values:
        place = int(value // width)
        heights.append(seen.get(place, 0))
        seen[place] = heights[-1] + 1
    return np.array(heights)
