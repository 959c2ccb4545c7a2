"""A notebook that names a device trains on it: its cells run on the double of a GPU, where the CPU's tensors are refused."""

import importlib

import build_notebooks as build
import jupytext
import pytest
import torch
from device_double import DEVICE, device_double

import rdskd_lab
from rdskd_lab.course import lesson


def cells(source) -> list[str]:
    return [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", build.sources(), ids=lambda source: source.stem)
def test_the_cells_of_a_notebook_are_on_the_device_that_it_found(source, monkeypatch):
    code = cells(source)
    if not any(word in cell for cell in code for word in ("lesson.device", "find_device")):
        pytest.skip("it trains on the CPU")
    pytest.importorskip("matplotlib").use("Agg")

    def found(name: str = "auto") -> torch.device:
        return torch.device(DEVICE if name == "auto" else name)

    for name, stand_in in (("look", None), ("diagnose", []), ("estimate", {})):
        monkeypatch.setattr(lesson, name, lambda *given, stand_in=stand_in: stand_in)
    places = [rdskd_lab, lesson]
    if any("Lab" in cell for cell in code):
        places.append(importlib.import_module("rdskd_lab.lab.lab"))
    for place in places:
        monkeypatch.setattr(place, "find_device", found)
    scope = {"__name__": "__main__"}
    with device_double() as waits:
        for i, cell in enumerate(code):
            exec(compile(cell, f"{source.stem}, code cell {i}", "exec"), scope)
        assert waits  # something was trained there
