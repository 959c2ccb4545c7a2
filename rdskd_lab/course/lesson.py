"""A notebook's first cell: what is wrong here, how long it will take, its exercises, its seed."""

import os
from importlib import import_module
from pathlib import Path

from ..doctor.report import FIX, OK, diagnose, duration, estimate, look
from .bands import read_bands, tell
from .classroom import student_seed, write_result
from .exercise import Exercise, say


class Lesson(dict[int, Exercise]):
    """`lesson[1].check(answer)`, `.hint()`, `.solution()`; `lesson.seed`; `lesson.band(name, value)`."""

    def __init__(self, notebook: str, seed: int = 0):
        super().__init__(enumerate(find_exercises(notebook), 1))
        self.notebook, self.seed = notebook, seed
        self.found: dict[str, float] = {}  # what the bands were told
        for number, exercise in self.items():
            exercise.call, exercise.given, exercise.verdict = f"lesson[{number}]", 0, None

    def __missing__(self, number):
        raise KeyError(f"there is no exercise {number!r} here; there are {', '.join(map(str, self)) or 'none'}")

    def band(self, name: str, value: float, unit: str = "", digits: int = 3, look_at: str = "") -> None:
        """Print a result beside what ten seeds gave; a value in "%" is a fraction.  `look_at`: where, if outside."""
        self.found[name] = float(value)
        print(tell(name, float(value), read_bands(self.notebook).get(name, []), unit, digits, look_at))

    def save_result(self, folder: Path | str) -> None:
        """Write what this notebook found, with its seed and without a name, for a class's figure."""
        print(f"Wrote {write_result(folder, self.notebook, self.seed, self.found).name}.")


def begin(notebook: str, student: str = "") -> Lesson:
    """Begin a notebook: say what has to be mended on this machine and how long it takes; its exercises.

    Whoever names a `student` gets a seed of that student's own.  RDSKD_LAB_SEED sets the seed for all others.
    """
    facts = look()
    for finding in diagnose(facts):
        colab_without_gpu = finding.topic == "GPU" and facts.front_end == "Colab" and not facts.gpu
        too_slow_to_watch = finding.topic == "training" and finding.level != OK
        if finding.level == FIX or colab_without_gpu or too_slow_to_watch:
            say(f"{finding.topic}: {finding.says}. {finding.cure}")
    seconds = estimate(facts).get(f"notebook {notebook[:2]}")
    print(f"{notebook}: about {duration(seconds)} of computing here." if seconds is not None else f"{notebook}.")
    seed = student_seed(student) if student else int(os.environ.get("RDSKD_LAB_SEED", 0))
    if student:
        print(f"Seed {seed}, which is yours.")
    return Lesson(notebook, seed)


def find_exercises(notebook: str) -> tuple[Exercise, ...]:
    """The exercises of a notebook, from the module of its name."""
    try:
        return import_module(f".exercises.ex{notebook}", __package__).EXERCISES
    except ModuleNotFoundError as error:
        raise ValueError(f"there is no notebook {notebook!r}; its name is that of its file, without .ipynb") from error
