"""The three examples of docs/extending.md run as they stand there."""

import importlib
import re
import sys
from pathlib import Path

import pytest
from toys import LATENT, SIZE, WIDTH, ToyStudent, ToyTeacher

from rdskd_lab.distillation import Distillation
from rdskd_lab.methods.method import Settings

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "extending.md").read_text()
FILES = re.findall(r"^\+\+\+ b/rdskd_lab/(\w+)/(\w+)\.py\n@@ -0,0 \+1,(\d+) @@\n((?:\+.*\n)+)", TEXT, re.MULTILINE)
TINY = Settings(generator_steps=4, batch_size=6, latent=LATENT, width=WIDTH, student_steps=2, student_batch_size=4)


@pytest.mark.parametrize("folder, name, lines, diff", FILES, ids=[name for _, name, *_ in FILES])
def test_an_example_runs_as_a_file_of_its_folder(folder, name, lines, diff, tmp_path, monkeypatch):
    (tmp_path / f"{name}.py").write_text(re.sub(r"^\+", "", diff, flags=re.MULTILINE))
    package = importlib.import_module(f"rdskd_lab.{folder}")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    found = importlib.import_module(f"rdskd_lab.{folder}.{name}")
    del sys.modules[found.__name__]
    assert diff.count("\n") == int(lines) and len(FILES) == 3
    for method in getattr(found, "METHODS", {}).values():
        steps = list(Distillation(ToyTeacher(), ToyStudent(), method.terms(), TINY, method=method, size=SIZE))
        assert len(steps) == 6 and len(steps[0].raw) == 4  # RDSKD's three and its own
