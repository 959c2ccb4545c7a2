"""Every notebook trains on the device that it finds: its cells run on the double of a GPU, where the CPU's tensors are
refused, and double precision too, which not every GPU has.  Of each run only a few small steps are computed.
"""

import ast
import importlib
import sys
from dataclasses import replace

import build_notebooks as build
import jupytext
import pytest
import torch
from device_double import DEVICE, Elsewhere, device_double

from rdskd_lab import training
from rdskd_lab.course import lesson
from rdskd_lab.distillation import Distillation
from rdskd_lab.reporting.charts import Chart

FEW = dict(generator_steps=4, student_steps=4, batch_size=16, student_batch_size=16, sheet_steps=2, student_turn=1)
lab = importlib.import_module("rdskd_lab.lab.lab")
begin, distill, fit, hold = Distillation.__init__, Distillation.distill, training.fit, Elsewhere.__init__


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("source", build.sources(), ids=lambda source: source.stem)
def test_a_notebook_trains_on_the_device_that_it_found(source, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    runs = []

    def few_steps(run, teacher, student, objective, settings, **how):
        few = {name: min(most, getattr(settings, name)) for name, most in FEW.items()}
        begin(run, teacher, student, objective, replace(settings, **few), **how)
        run.asked = settings.student_steps
        runs.append(run)

    def up_to_the_last(run):  # a cell may wait for each fiftieth step
        for step in distill(run):
            yield step
        yield from (replace(step, i=i) for i in range(49, run.asked, 50))

    def in_single_precision(tensor, held):
        assert held.dtype != torch.float64, "not every GPU has double precision"
        hold(tensor, held)

    def look(value):
        if isinstance(value, Chart):
            value.alt_text()
        if isinstance(value, lab.Lab):
            value.play(4)
            assert value.step == 4 and not value.player.reason.startswith("Stopped"), value.player.reason

    for name, stand_in in (("look", None), ("diagnose", []), ("estimate", {})):
        monkeypatch.setattr(lesson, name, lambda *given, stand_in=stand_in: stand_in)
    for place, name, instead in (
        (lesson, "find_device", lambda name: torch.device(DEVICE if name == "auto" else name)),
        (lab, "find_device", torch.device),
        (Distillation, "__init__", few_steps),
        (Distillation, "distill", up_to_the_last),
        (training, "fit", lambda *of: (replace(step, i=step.i + 120 * (step.i == 29)) for step in fit(*of))),
        (Elsewhere, "__init__", in_single_precision),
        (sys, "displayhook", look),
    ):
        monkeypatch.setattr(place, name, instead)
    scope = {"__name__": "__main__"}
    with device_double():
        for i, cell in enumerate(cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code"):
            exec(compile(ast.Interactive(ast.parse(cell).body), f"{source.stem}, code cell {i}", "single"), scope)
    assert runs and {str(run.device) for run in runs} == {DEVICE}
