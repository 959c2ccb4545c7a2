"""The instructor's guide says what the notebooks and their exercises say."""

import re
import tomllib

import instructor_guide as guide
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
