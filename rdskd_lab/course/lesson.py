"""A notebook's first and last cell: what to fix on this machine, time, exercises and seed; what is handed in."""

import math
import os
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from ..distillation import find_device
from ..doctor.report import FIX, OK, diagnose, duration, estimate, look, row
from . import exercises
from .bands import read_bands, tell
from .classroom import HandIn, student_seed, write_hand_in
from .exercise import Exercise
from .verdict import say

NOTEBOOKS = sorted(name[2:] for _, name, _ in iter_modules(exercises.__path__) if name.startswith("ex"))


class Lesson(dict[int, Exercise]):
    """`lesson[1].check(answer)`, `.hint()`, `.example()`, `.solution()`; `.seed`, `.device`; `.band(name, value)`."""

    def __init__(self, notebook: str, seed: int = 0, device: str = "auto"):
        super().__init__(enumerate(find_exercises(notebook), 1))
        self.notebook, self.seed, self.device = notebook, seed, find_device(device)
        self.found: dict[str, float] = {}  # the results that `band` was told
        self.predictions: dict[int, str] = {}  # the learner's guesses; "" while none was typed
        self.token = os.urandom(3).hex()  # so that no two learners write the same file
        for number, exercise in self.items():
            exercise.call, exercise.given, exercise.tries = f"lesson[{number}]", 0, 0
            exercise.solved, exercise.solution_seen, exercise.verdict = False, False, None

    def __missing__(self, number):
        raise KeyError(f"exercise {number!r} does not exist here; there are {', '.join(map(str, self)) or 'none'}")

    def __repr__(self) -> str:
        """Show the progress, never a solution."""
        rows = [f"{self.notebook}, seed {self.seed}: {self._progress()}."]
        return "\n".join(rows + [f"    {exercise!r}" for exercise in self.values()])

    def predict(self, number: int, guess: str) -> None:
        """Record a guess before a run; the cell's three dots mean that nothing was typed, and nothing is printed."""
        self.predictions[number] = "" if guess is ... else str(guess).strip()
        if self.predictions[number]:
            say(f"Prediction {number}: {self.predictions[number]}")

    def band(self, name: str, value: float, unit: str = "", digits: int = 3, look_at: str = "") -> None:
        """Print a result beside the range that ten seeds gave; a value in "%" is a fraction.

        `look_at` says what to check if the result is outside that range.
        """
        self.found[name] = float(value)
        print(tell(name, float(value), read_bands(self.notebook).get(name, []), unit, digits, look_at))

    def hand_in(self, folder: Path | str | None = None, name: str = "") -> None:
        """Print what a hand-in holds; with `folder`, write it there as one small file, with `name` only if given."""
        say(f"{self.notebook}: {self._progress()}.")
        if folder is None:
            return say(
                'Nothing was written. lesson.hand_in("hand-in") writes this into one small file, without your name.'
            )
        path = write_hand_in(folder, self._hand_in(name))
        named = f"with the name {name!r}" if name else "without a name"
        say(f"Wrote {path.name} into {path.parent.resolve()}, {named}. Give this file to your teacher.")

    def _hand_in(self, name: str) -> HandIn:
        """Return what is handed in; a result that is not a number is left out."""
        done = [
            {
                "number": number,
                "title": exercise.title,
                "state": exercise.state,
                "tries": exercise.tries,
                "hints": exercise.given,
                "solution seen": exercise.solution_seen,
                "last error": exercise.verdict.name if exercise.verdict else "",
            }
            for number, exercise in self.items()
        ]
        typed = {str(number): guess for number, guess in sorted(self.predictions.items())}
        found = {name: value for name, value in self.found.items() if math.isfinite(value)}
        return HandIn(self.notebook, self.seed, name, done, typed, found, self.token)

    def _progress(self) -> str:
        solved, hints = sum(e.solved for e in self.values()), sum(e.given for e in self.values())
        typed = sum(map(bool, self.predictions.values()))
        return (
            f"exercises solved {solved} of {len(self)}, hints used {hints}, predictions typed {typed} of "
            f"{len(self.predictions)}, results {len(self.found)}"
        )


def begin(notebook: str, student: str | None = None, device: str = "auto") -> Lesson:
    """Begin a notebook: say what needs fixing on this machine, how long it takes and where; return its exercises.

    A `student` gets a seed of their own, the same for the same name. RDSKD_LAB_SEED sets the seed for all others.
    `device` is where the notebook's cells and labs train, as `lesson.device`: "auto" takes a GPU if there is one.
    Raises ValueError for an unknown notebook, for an empty name and for a device that is not there.
    """
    seed = int(os.environ.get("RDSKD_LAB_SEED", 0)) if student is None else student_seed(student)
    lesson = Lesson(notebook, seed, device)
    facts = look()
    for finding in diagnose(facts):
        colab_without_gpu = finding.topic == "GPU" and facts.front_end == "Colab" and not facts.gpu
        too_slow_to_watch = finding.topic == "training" and finding.level != OK
        if finding.level == FIX or colab_without_gpu or too_slow_to_watch:
            say(f"{finding.topic}: {finding.says}. {finding.cure}")
    seconds = estimate(facts).get(row(notebook))
    about = f": about {duration(seconds)} of computing here" if seconds is not None else ""
    print(f"{notebook}{about}. Device: {lesson.device.type}.")
    if student is not None:
        print(f"Your own seed: {seed}.")
    return lesson


def find_exercises(notebook: str) -> tuple[Exercise, ...]:
    """Return the exercises of a notebook, from the module named after it."""
    if notebook not in NOTEBOOKS:
        close = [name for name in NOTEBOOKS if str(notebook).isdigit() and name[:2] == f"{int(notebook):02}"]
        close += get_close_matches(str(notebook), NOTEBOOKS, 1)
        meant = f" Did you mean {close[0]!r}?" if close else f" There are {', '.join(NOTEBOOKS)}."
        raise ValueError(f"there is no notebook {notebook!r}; pass the file's name without .ipynb.{meant}")
    return import_module(f".exercises.ex{notebook}", __package__).EXERCISES
