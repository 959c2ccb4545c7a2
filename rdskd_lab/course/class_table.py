"""A class from a folder of hand-ins: who solved what, where students are stuck, what they predicted; text and CSV."""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..networks.weights import write_whole
from .bands import read_bands, typical
from .classroom import HandIn, figure_of, read_hand_ins, student_seed

MARKS = {"solved": "+", "not solved yet": "-", "not tried yet": "."}
LEGEND = "+ solved, - tried but not solved, . not tried; (s) saw the solution"


@dataclass
class ClassTable:
    """All hand-ins in a folder; `refused` says why each other file was not read; `roster` holds the expected names."""

    hand_ins: list[HandIn]
    refused: dict[str, str]
    roster: list[str]

    def text(self) -> str:
        """Write the tables for each notebook, and a list of what to check by hand."""
        parts = [f"Hand-ins: {len(self.hand_ins)}, from {', '.join(self._notebooks())}."]
        if self.refused:
            parts.append("\n".join(["Not read:"] + [f"    {name}: {why}" for name, why in self.refused.items()]))
        for notebook, hand_ins in self._notebooks().items():
            parts += [_students(notebook, hand_ins), _stuck(hand_ins)]
        if notes := self._notes():
            parts.append("\n".join(["Check by hand:"] + [f"    {note}" for note in notes]))
        return "\n\n".join(parts)

    def write(self, folder: Path | str) -> list[Path]:
        """Write class.csv, predictions.csv and a figure for each notebook with results; return their paths."""
        folder, written = Path(folder), []
        for name, rows in (("class.csv", self.rows()), ("predictions.csv", self.predictions())):
            if rows:
                written.append(folder / name)
                write_whole(written[-1], _csv(rows))
        for notebook, hand_ins in self._notebooks().items():
            if results := [one for one in hand_ins if one.found]:
                written.append(folder / f"class-{notebook}.png")
                write_whole(written[-1], figure_of(results).png())
        return written

    def rows(self) -> list[dict]:
        """Return one row per hand-in, for a spreadsheet or an LMS."""
        most = max((len(one.exercises) for one in self.hand_ins), default=0)
        return [_row(one, most) for one in self.hand_ins]

    def predictions(self) -> list[dict]:
        """Return one row per prediction that a student typed."""
        return [
            {"notebook": one.notebook, "number": number, "prediction": guess, "who": one.who}
            for one in self.hand_ins
            for number, guess in one.predictions.items()
            if guess
        ]

    def _notebooks(self) -> dict[str, list[HandIn]]:
        found: dict[str, list[HandIn]] = {}
        for one in self.hand_ins:
            found.setdefault(one.notebook, []).append(one)
        return found

    def _notes(self) -> list[str]:
        """Return what a teacher should check: names and seeds that occur twice, and students who handed in nothing."""
        notes = []
        for notebook, hand_ins in self._notebooks().items():
            seeds, named = {}, {}
            for one in hand_ins:
                seeds.setdefault(one.seed, []).append(one)
                if one.name:
                    named.setdefault(one.name.casefold(), []).append(one)
            for same in named.values():
                if len(same) > 1:
                    files = ", ".join(one.file for one in same)
                    which = f"{len(same)} files with the name {same[0].name}"
                    notes.append(f"{notebook}: {which}, from one student or from several: {files}")
            for seed, same in seeds.items():
                if (nameless := sum(not one.name for one in same)) > 1:
                    advice = 'begin(..., student="name") gives each of them a different seed'
                    notes.append(f"{notebook}: {nameless} students have seed {seed}; {advice}")
            here = [name for name in self.roster if student_seed(name) in seeds or name.casefold() in named]
            if missing := [name for name in self.roster if name not in here]:
                notes.append(f"{notebook}: no hand-in from {', '.join(missing)}")
        return notes


def read_class(folder: Path | str, roster: Path | str | None = None) -> ClassTable:
    """Read all hand-ins in a folder, and a file of expected names, one per line.

    Each name determines a seed, so the teacher alone can find out who wrote a hand-in without a name.
    Raises ValueError if the folder does not exist or holds no hand-in.
    """
    if not Path(folder).is_dir():
        raise ValueError(f"{folder} is not a folder; pass the folder that holds the hand-ins")
    hand_ins, refused = read_hand_ins(folder)
    try:
        names = Path(roster).read_text(encoding="utf-8-sig").splitlines() if roster else []
    except UnicodeDecodeError as error:
        raise ValueError(f"{roster} is not in UTF-8; save it as UTF-8, in Excel as CSV UTF-8") from error
    names = [" ".join(name.split()) for name in names if name.strip()]
    if not hand_ins:
        others = f" ({len(refused)} other .json files were not read)" if refused else ""
        raise ValueError(f'{folder} holds no hand-in{others}; each student writes one with lesson.hand_in("hand-in")')
    known = {student_seed(name): name for name in names}
    for one in hand_ins:
        one.name = one.name or known.get(one.seed, "")
    hand_ins.sort(key=lambda one: (one.notebook, one.who.casefold(), one.file))
    return ClassTable(hand_ins, refused, names)


def _students(notebook: str, hand_ins: list[HandIn]) -> str:
    """Write one line per student."""
    numbers = range(1, 1 + max(len(one.exercises) for one in hand_ins))
    head = ["who", *map(str, numbers), "hints", "predictions", "outside"]
    rows = []
    for one in hand_ins:
        marks = [MARKS[row["state"]] + "(s)" * row["solution seen"] for row in one.exercises]
        hints = sum(row["hints"] for row in one.exercises)
        rows.append([one.who, *marks, *[""] * (len(numbers) - len(marks)), str(hints), _typed(one), _outside(one)])
    return f"{notebook}: {len(hand_ins)} students ({LEGEND})\n{_table(head, rows)}"


def _stuck(hand_ins: list[HandIn]) -> str:
    """Write one line per exercise: how many students solved it, and the most common errors of those who did not."""
    head = ["where students are stuck", "solved", "not yet", "not tried", "hints each", "most common last error"]
    rows = []
    exercises = max((one.exercises for one in hand_ins), key=len)
    for at, exercise in enumerate(exercises):
        of = [one.exercises[at] for one in hand_ins if at < len(one.exercises)]
        states = Counter(row["state"] for row in of)
        stuck = [row["last error"] or "not recognised" for row in of if row["state"] == "not solved yet"]
        errors = "; ".join(f"{many} x {error}" for error, many in Counter(stuck).most_common(2))
        counts = [str(states[state]) for state in MARKS]
        hints = sum(row["hints"] for row in of) / len(of)
        rows.append([f"{at + 1} {exercise['title']}", *counts, f"{hints:.1f}", errors])
    return _table(head, rows)


def _row(one: HandIn, most: int) -> dict:
    states = {f"exercise {k + 1}": "" for k in range(most)}
    states |= {f"exercise {row['number']}": row["state"] for row in one.exercises}
    return {
        "notebook": one.notebook,
        "name": one.name,
        "seed": one.seed,
        "solved": one.solved,
        "exercises": len(one.exercises),
        "hints": sum(row["hints"] for row in one.exercises),
        "solutions seen": sum(row["solution seen"] for row in one.exercises),
        "predictions": _typed(one),
        "results outside": _outside(one),
        **states,
        "file": one.file,
    }


def _typed(one: HandIn) -> str:
    return f"{sum(map(bool, one.predictions.values()))} of {len(one.predictions)}"


def _outside(one: HandIn) -> str:
    """Count the results outside their typical range."""
    bands = {name: values for name, values in read_bands(one.notebook).items() if name in one.found}
    ranges = {name: typical(values) for name, values in bands.items()}
    outside = sum(not low <= one.found[name] <= high for name, (low, high) in ranges.items())
    return f"{outside} of {len(ranges)}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    return "\n".join(f"    {line.rstrip()}" for line in lines)


def _csv(rows: list[dict]) -> bytes:
    """Write rows as CSV; a text that a spreadsheet would read as a formula gets an apostrophe in front."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {key: f"'{x}" if isinstance(x, str) and x[:1] in tuple("=+-@\t") else x for key, x in row.items()}
        )
    return text.getvalue().encode("utf-8-sig")  # so that Excel reads umlauts
