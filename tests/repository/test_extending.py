"""The examples of docs/extending.md are files that run as they stand there."""

import importlib
import re
import sys
from pathlib import Path

import pytest
from toys import LATENT, SIZE, WIDTH, ToyStudent, ToyTeacher

import rdskd_lab
from rdskd_lab.distillation import Distillation
from rdskd_lab.methods.method import Settings

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "extending.md").read_text()
FILES = {  # (folder, name): source
    (folder, name): "".join(line[1:] for line in body.splitlines(keepends=True))
    for folder, name, body in re.findall(
        r"^\+\+\+ b/rdskd_lab/(\w+)/(\w+)\.py\n@@ .*\n((?:\+.*\n)+)", TEXT, re.MULTILINE
    )
}
TINY = Settings(generator_steps=4, batch_size=6, latent=LATENT, width=WIDTH, student_steps=2, student_batch_size=4)


@pytest.fixture
def module(request, tmp_path, monkeypatch):
    """An example, imported as if its file lay in the folder of the package that it names."""
    folder, name = request.param
    (tmp_path / f"{name}.py").write_text(FILES[request.param])
    package = importlib.import_module(f"rdskd_lab.{folder}")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    yield importlib.import_module(f"rdskd_lab.{folder}.{name}")
    sys.modules.pop(f"rdskd_lab.{folder}.{name}")


def test_there_are_three():
    assert sorted(folder for folder, _ in FILES) == ["datasets", "methods", "methods"]


def test_each_says_how_many_lines_it_has():
    assert re.findall(r"^@@ -0,0 \+1,(\d+) @@", TEXT, re.MULTILINE) == [
        str(source.count("\n")) for source in FILES.values()
    ]


@pytest.mark.parametrize("module", [file for file in FILES if file[0] == "methods"], indirect=True, ids="{0[1]}".format)
def test_a_method_adds_one_term_to_rdskd_and_runs(module):
    ((_, method),) = module.METHODS.items()
    run = Distillation(ToyTeacher(), ToyStudent(), method.terms(), TINY, method=method, size=SIZE)
    steps = list(run)
    assert len(steps) == 6 and len(steps[0].raw) == len(rdskd_lab.rdskd()) + 1


@pytest.mark.parametrize(
    "module", [file for file in FILES if file[0] == "datasets"], indirect=True, ids="{0[1]}".format
)
def test_a_data_set_is_a_record(module):
    assert module.SET.name == "shapes" and len(module.SET.mean) == len(module.SET.std) == module.SET.channels
