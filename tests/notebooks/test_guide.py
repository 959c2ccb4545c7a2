"""The instructor's guide says what the notebooks and their exercises say."""

import csv
import math
import re
import tomllib

import instructor_guide as guide
import nbformat
import pytest

from rdskd_lab.course.lesson import find_exercises

TEXT = guide.GUIDE.read_text(encoding="utf-8")
ANSWERS = tomllib.loads(guide.ANSWERS.read_text(encoding="utf-8"))


def test_what_the_guide_takes_from_the_notebooks_is_up_to_date():
    assert guide.write(TEXT) == TEXT, "run python tools/instructor_guide.py"
    assert "log10 instead of ln" in TEXT and "**Goal.**" in TEXT


def test_the_guide_names_only_notebooks_that_exist():
    named = set(re.findall(r"\b(\d\d_[a-z_]+)\b", TEXT))
    assert not named - {path.stem for path in guide.NOTEBOOKS.glob("*.ipynb")}


@pytest.mark.parametrize("source", guide.sources(), ids=lambda path: path.stem)
def test_each_prediction_has_an_answer_a_wrong_guess_and_a_question(source):
    answers = ANSWERS[source.stem]
    asked = guide.questions(source)
    assert len(asked) == len(answers["predictions"]) == source.read_text().count("lesson.predict(")
    assert all("*" not in question and question.rstrip(")").endswith((".", "?")) for question in asked), asked
    for answer in answers["predictions"]:
        assert set(answer) == {"expect", "wrong", "ask"} and all(3 < len(text) < 320 for text in answer.values())
    assert len(answers["minutes"]) == len(find_exercises(source.stem)) and sum(answers["minutes"]) <= 30


def test_a_number_of_an_expected_answer_is_one_that_its_notebook_shows():
    """A sample, by hand: what was printed, to the digits that the answer gives."""
    shown = {
        "00_start_here": (0, "55 %", "mean certainty: 0.5501"),
        "02_distillation": (1, "36.0 instead of 2.3", "by hand 36.0256"),
        "03_generator": (0, "103,424", "103,424 weights"),
        "04_authenticity": (2, "0.95", "pull 0.9487"),
        "05_class_diversity": (2, "-0.12", "cosine of the two slopes: -0.1223"),
        "06_inter_sample_diversity": (2, "0.1205 of 0.1222", "0.1205"),
        "08_rdskd": (0, "1.43", "gains in step 0: oh 1.4279, ie 0.1330"),
        "10_the_field": (1, "26.9", "R_f of noise: 26.8682"),
        "robustness_for_researchers": (1, "1.63 and 0.47", "1.5000 ± 1.6290"),
    }
    for notebook, (number, said, printed) in shown.items():
        assert said in ANSWERS[notebook]["predictions"][number]["expect"], notebook
        assert printed in (guide.NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"), notebook


def test_the_class_of_ninety_minutes_takes_eighty_at_most():
    """Added up anew: stated minutes, measured computing, and the committed notebook's prose at 120 words a minute."""
    plan = tomllib.loads(guide.PLAN.read_text(encoding="utf-8"))
    cells = nbformat.read(guide.NOTEBOOKS / "one_lesson.ipynb", 4).cells
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
    rows = csv.DictReader((guide.TOP / "results" / "notebooks.csv").read_text().splitlines())
    seconds = next(float(row["cpu_s"]) for row in rows if row["notebook"] == "one_lesson")
    minutes = sum(part["minutes"] for part in plan["part"]) + words / 120 + seconds / 60
    assert minutes <= plan["at_most"] == 80
    assert f"In all {math.ceil(minutes)} minutes" in TEXT
    parts, _, _ = guide.class_plan()
    assert all(part.talk >= minutes for part, minutes in zip(parts[3:6], ANSWERS["one_lesson"]["minutes"], strict=True))


def test_a_section_that_the_plan_does_not_know_is_named(monkeypatch):
    monkeypatch.setattr(guide, "prose", lambda notebook: {"RDSKD in one lesson": 10, "A new section": 5})
    with pytest.raises(SystemExit, match="A new section"):
        guide.class_plan()
