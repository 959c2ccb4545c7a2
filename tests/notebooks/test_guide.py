"""The instructor's guide says what the notebooks and their exercises say."""

import importlib.util
import re
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
TEXT = (NOTEBOOKS / "INSTRUCTOR.md").read_text(encoding="utf-8")


def test_what_the_guide_takes_from_the_notebooks_is_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(str(NOTEBOOKS))
    monkeypatch.delitem(sys.modules, "build", raising=False)
    spec = importlib.util.spec_from_file_location("guide", NOTEBOOKS.parent / "tools" / "instructor_guide.py")
    guide = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guide)
    assert guide.write(TEXT) == TEXT, "run python tools/instructor_guide.py"
    assert "log10 for ln" in TEXT and "**Goal.**" in TEXT


def test_the_guide_names_only_notebooks_that_exist():
    named = set(re.findall(r"\b(\d\d_[a-z_]+)\b", TEXT))
    missing = {name for name in named if not (NOTEBOOKS / f"{name}.ipynb").is_file()}
    assert not missing, f"not there: {', '.join(sorted(missing))}"
