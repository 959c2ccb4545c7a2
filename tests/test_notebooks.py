"""The committed notebooks are what their sources say, executed, clean and small."""

import importlib.util
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
spec = importlib.util.spec_from_file_location("build", NOTEBOOKS / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


@pytest.fixture(params=build.sources(), ids=lambda path: path.stem)
def pair(request):
    """(the notebook as its source describes it, the notebook as committed)"""
    return build.read(request.param), nbformat.read(request.param.with_suffix(".ipynb"), 4)


def test_every_notebook_has_a_source():
    assert {p.stem for p in NOTEBOOKS.glob("*.ipynb")} == {p.stem for p in build.sources()} != set()


def test_committed_cells_are_those_of_the_source(pair):
    source, committed = ([(c.cell_type, c.source, c.metadata.get("tags", [])) for c in n.cells] for n in pair)
    assert committed == source


def test_every_code_cell_was_executed_in_order(pair):
    counts = [c.execution_count for c in pair[1].cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_nothing_is_stored_that_a_reader_does_not_need(pair):
    _, committed = pair
    assert "widgets" not in committed.metadata
    assert not any("execution" in c.metadata for c in committed.cells)
    assert len(nbformat.writes(committed)) <= build.LIMIT


def test_every_picture_has_a_text_alternative(pair):
    for cell in pair[1].cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert output.metadata["image/png"]["alt"].strip(), cell.source


def test_no_output_is_an_error_or_a_warning(pair):
    for cell in pair[1].cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")
