"""What studies of students share: train one, and say how good it is and what its images are like."""

from pathlib import Path

from ..evaluation.image_quality import of_last
from ..runs.compare import look, row
from ..runs.config import Config, resolve
from ..runs.execute import execute

TEN = 10  # classes of a row from before `of_classes` was kept
RIVALS = ("dafl", "mskd", "zskd", "deepinversion")  # of the paper

COLUMNS = {
    "student_accuracy": ("student right, %", 100.0),
    "final_classes": ("classes", 1.0),
    "final_entropy": ("entropy", 1.0),
    "final_distance": ("distance", 1.0),
    "final_feature_distance": ("in features", 1.0),
    "final_teacher_fid": ("teacher-FID", 1.0),
}
WORDS = {"columns": COLUMNS, "unit": "Students, and the last generator's images"}


def train_student(config: Config, place: Path) -> dict:
    """Do a whole run: measure its student, the images that it learned from, and the last generator's (`final_`)."""
    try:
        found = execute(config, place, resume=(place / "config.json").exists(), also=_look)
    except FloatingPointError as error:  # a value that is not finite stopped it: a result like others
        return {"outcome": str(error), "of_classes": len(resolve(config).load("test").classes)}
    wanted = "student_accuracy agreement classes entropy distance feature_distance teacher_fid seconds"
    seen, final = row(place), {name: value for name, value in found.items() if name.startswith("final_")}
    final |= {"outcome": "finished", "of_classes": len(found["class_histogram"])}
    return {name: seen[name] for name in wanted.split()} | final


def _look(run, test) -> dict:
    return look(run, test) | of_last(run, test.normalise(test.images[:10_000]))


def right(row: dict) -> float:
    """Return a row's accuracy in %; a run that was stopped counts as what guessing gives."""
    return 100 * (1 / (row.get("of_classes") or TEN) if row["student_accuracy"] is None else row["student_accuracy"])
