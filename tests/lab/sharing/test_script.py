"""A lab as a plain script: it is run here, in float64, and has to have the history of the package's own loop."""

import ast
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from toys import apart, copied

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from rdskd_lab.lab import Lab
from rdskd_lab.lab.session.experiment import PLAYABLE, Experiment  # noqa: E402
from rdskd_lab.lab.session.record import STUDENT, Edit  # noqa: E402
from rdskd_lab.lab.sharing.script import ExportError, export_code  # noqa: E402

ALLOWED = (
    "importlib.resources torch safetensors.torch rdskd_lab.networks.architectures rdskd_lab.generator rdskd_lab.losses"
)


def experiment(method: str = "rdskd", *edits: tuple, seed: int = 3, **settings) -> Experiment:
    """A small run with edits (term, field, value), in float64."""
    settings |= dict(batch_size=8, latent=16, width=4, lr=1e-2, student_batch_size=16)
    small = replace(PLAYABLE[method].presets["classroom"], **settings)
    made = Experiment(method, seed, settings=small)
    for edit in edits:
        made.change(Edit(0, *edit))
    for net in made.run.teacher, made.run.generator, made.run.student:
        net.double()
    return made


def run_script(code: str, steps: int) -> dict:
    """What the script leaves behind after that many steps in float64."""
    lines = code.splitlines()
    assert len(lines) <= 60 and max(map(len, lines)) <= 120
    at = next(k for k, line in enumerate(lines) if line.startswith("STEPS, DTYPE = "))
    lines[at] = f"STEPS, DTYPE = {steps}, torch.float64"
    left = {}
    with torch.random.fork_rng(devices=[]):
        exec(compile("\n".join(lines), "script", "exec"), left)  # our own text
    return left


CASES = {
    "rdskd": (123, "rdskd"),
    "previous": (30, "rdskd", ("oh", "rule", "previous"), ("ie", "rule", "previous")),
    "average": (30, "rdskd", ("oh", "rule", "average"), ("ie", "rule", "average")),
    "each its own rule": (30, "rdskd", ("oh", "rule", "average"), ("ds", "damped", True), ("ds", "rule", "previous")),
    "strength": (30, "rdskd", ("oh", "strength", 20), ("oh", "rule", "previous"), ("ie", "strength", 7.5)),
    "strength 0": (10, "rdskd", ("oh", "strength", 0), ("ds", "damped", True), ("ds", "strength", 50)),
    "plain sum": (20, "rdskd", ("oh", "damped", False), ("ie", "damped", False)),
    "weights": (20, "rdskd", ("oh", "weight", 0.3), ("ie", "weight", 2.5), ("ds", "weight", 0.0)),
    "without class diversity": (20, "rdskd", ("ie", "on", False)),
    "one term": (20, "rdskd", ("oh", "on", False), ("ds", "on", False)),
    "nothing asked": (5, "rdskd", ("oh", "on", False), ("ie", "on", False), ("ds", "on", False)),
    "rdskd+bn": (20, "rdskd+bn"),
    "dafl": (20, "dafl"),
    "mskd": (20, "mskd"),
    "dfad": (20, "dfad"),
    "a student": (25, "rdskd", (STUDENT, "learns", True)),
    "dfad and its student": (25, "dfad", (STUDENT, "learns", True)),
    "longest": (5, "rdskd+bn", (STUDENT, "learns", True), *[(n, "damped", True) for n in ("oh", "ie", "ds", "bn")],
                ("oh", "rule", "previous"), ("ds", "rule", "average"), ("bn", "rule", "average"),
                *[(n, "weight", 0.1234) for n in ("oh", "ie", "ds", "bn")]),
    "longest but one": (5, "mskd", (STUDENT, "learns", True), *[(n, "damped", True) for n in ("oh", "ie", "act", "ms")],
                ("oh", "rule", "previous"), ("act", "rule", "average"), ("ms", "rule", "average"), ("oh", "weight", 0.123)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_script_has_the_history_of_the_package(case, capsys):
    steps, method, *edits = CASES[case]
    ours = experiment(method, *edits)
    left = run_script(export_code(ours), steps)
    expected = [step.raw for step in islice(ours.steps(), steps)]
    assert [list(row) for row in left["history"]] == [list(ours.objective)] * steps
    for name in ours.objective:
        np.testing.assert_allclose(
            [row[name] for row in left["history"]], [row[name] for row in expected], rtol=0, atol=1e-8
        )
    assert all(np.isfinite(list(row.values())).all() for row in expected)
    if ours.learning:
        assert apart(copied(left["student"]), copied(ours.run.student)) < 1e-8
        assert apart(copied(left["student"]), copied(experiment(method).run.student)) > 1e-3


def test_a_student_that_descends_otherwise(capsys):
    ours = experiment("rdskd", (STUDENT, "learns", True), student_optimizer="sgd", student_lr=0.01)
    left = run_script(export_code(ours), 10)
    list(islice(ours.steps(), 10))
    assert apart(copied(left["student"]), copied(ours.run.student)) < 1e-8


@pytest.mark.parametrize(
    "method", [m for m, how in PLAYABLE.items() if all(w.script for w in how.terms().words.values())]
)
def test_it_imports_networks_and_losses_and_nothing_else_of_the_package(method):
    own = PLAYABLE[method].terms.__module__  # where a loss may stand that no other method has
    for node in ast.walk(ast.parse(export_code(experiment(method, (STUDENT, "learns", True))))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {node.module} if isinstance(node, ast.ImportFrom) else {alias.name for alias in node.names}
            assert names <= {*ALLOWED.split(), own}


def test_a_term_whose_words_hold_no_call_is_refused():
    ours = experiment("dafl")
    ours.objective["act"].words = replace(ours.objective["act"].words, script="")
    with pytest.raises(ExportError, match="'act'.*script"):
        export_code(ours)


def test_a_lab_writes_it_as_it_stands_now():
    small = replace(PLAYABLE["dafl"].presets["classroom"], batch_size=8, width=4)
    lab = Lab("dafl", 5, mode="inline", learn=False, settings=small)
    lab.play(3)
    lab.edit("oh", "on", False)
    code = lab.export_code()
    assert code.startswith("# dafl, seed 5, with the terms of a lab as they stood after step 3.")
    assert "STEPS, DTYPE = 3, torch.float32" in code
    assert '    "oh": one_hot(t),  # off: measured, not minimised\n' in code
    teacher = lab.experiment.run.teacher
    lab.experiment.objective["oh"].rule = lambda i, raw, anchor: raw
    with pytest.raises(ExportError, match="'oh' has an anchor rule of your own"):
        lab.export_code()
    lab.close()
    lab = Lab(mode="inline", learn=False, teacher=teacher)
    with pytest.raises(ExportError, match="one of your own"):
        lab.export_code()
    lab.close()
