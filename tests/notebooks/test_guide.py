"""The instructor's guide says what the notebooks and their exercises say."""

import re

import instructor_guide as guide

TEXT = guide.GUIDE.read_text(encoding="utf-8")


def test_what_the_guide_takes_from_the_notebooks_is_up_to_date():
    assert guide.write(TEXT) == TEXT, "run python tools/instructor_guide.py"
    assert "log10 for ln" in TEXT and "**Goal.**" in TEXT


def test_the_guide_names_only_notebooks_that_exist():
    named = set(re.findall(r"\b(\d\d_[a-z_]+)\b", TEXT))
    assert not named - {path.stem for path in guide.NOTEBOOKS.glob("*.ipynb")}
