"""What does each of RDSKD's terms do for its samples?  RDSKD whole, without each term in turn, without its damping."""

from collections.abc import Iterable

from .engine import DEFAULT, Study, Trial, plan_trial
from .students import WORDS, right, train_student
from .verdict import Verdict, judge, paired

WITHOUT = {term: f"without {term}" for term in ("oh", "ie", "ds")} | {"damping": "no damping"}
ASKED = (  # claim, what is left out, column, 1 if more of it speaks for the claim, unit; the first three are main
    ("Authenticity keeps samples near real ones", "oh", "final_teacher_fid", -1, ""),
    ("Class diversity makes samples cover the classes evenly", "ie", "final_entropy", 1, " nats"),
    ("Inter-sample diversity makes samples differ", "ds", "final_distance", 1, ""),
    ("Authenticity makes the student better", "oh", "accuracy", 1, " points"),
    ("Class diversity makes the student better", "ie", "accuracy", 1, " points"),
    ("Inter-sample diversity makes the student better", "ds", "accuracy", 1, " points"),
    ("Inter-sample diversity makes samples differ to the teacher", "ds", "final_feature_distance", 1, ""),
    ("Damping makes the student better", "damping", "accuracy", 1, " points"),
)


def plan(seeds: Iterable[int] = range(5), preset: str = "classroom", device: str = "cpu") -> list[Trial]:
    """Plan RDSKD whole, without its damping, and without each of its terms."""
    changes = {DEFAULT: ("", {}), WITHOUT["damping"]: ("damping", {"anchor": "none"})}
    changes |= {WITHOUT[term]: ("term", {"off": (term,)}) for term in ("oh", "ie", "ds")}
    return [
        plan_trial("rdskd", seed, train_student, point, kind, preset=preset, device=device, **change)
        for point, (kind, change) in changes.items()
        for seed in seeds
    ]


def verdicts(rows: list[dict]) -> list[Verdict]:
    """Judge what is lost without each term: in what that term is for, of the last generator's images; in accuracy."""
    rows, found = [r | {"accuracy": right(r)} for r in rows], []
    for n, (claim, term, column, sign, unit) in enumerate(ASKED):
        name = column.removeprefix("final_").replace("_", " ").replace("fid", "FID")
        found.append(
            judge(
                claim,
                "diversity",
                f"{name}, whole less without {term}" + ", negated" * (sign < 0),
                paired(rows, {"point": DEFAULT}, {"point": WITHOUT[term]}, column, lambda v, sign=sign: sign * v),
                unit=unit,
                main=n < 3,
                label=f"{name}: whole against without {term}",
            )
        )
    return found


STUDY = Study(
    name="diversity",
    question="What does each of RDSKD's terms do for its samples?",
    rank=2,
    trials=plan,
    verdicts=verdicts,
    how_to_read="RDSKD whole, without its damping, and without each term in turn: oh authenticity, ie class diversity, "
    "ds inter-sample diversity. Images are those of the last generator. classes: those that have at least a tenth of "
    "an even share; entropy in nats, 2.30 if all of ten classes are equally frequent; distance: mean over pairs of "
    "images, in normalised pixels and in the teacher's features; teacher-FID: 0 if the teacher's features of these "
    "images are distributed as those of real ones.",
    apart="Samples are those of the last generator (columns `final_`); the other columns describe what the student "
    "learned from, which the generator made at all stages of its training. The measures are ours, and teacher-FID "
    "compares with no published FID.",
    **WORDS,
)
