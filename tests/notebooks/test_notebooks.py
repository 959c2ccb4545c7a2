"""The committed notebooks are what their sources say, executed, clean and small."""

import copy
import re
import shutil

import build_notebooks as build
import nbformat
import pytest

from rdskd_lab.course.lesson import find_exercises

NOTEBOOKS = build.NOTEBOOKS


@pytest.fixture(params=build.sources(), ids=lambda path: path.stem)
def pair(request):
    """(the notebook as its source describes it, the notebook as committed)"""
    return build.read(request.param), nbformat.read(NOTEBOOKS / f"{request.param.stem}.ipynb", 4)


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


def test_a_learner_who_opens_and_saves_a_notebook_in_jupyter_writes_to_that_file_alone(tmp_path):
    """Paired by jupytext, it would open without kernel and first cell, and saving would put answers into the source."""
    from jupyter_server.services.contents.largefilemanager import LargeFileManager

    module = pytest.importorskip("jupytext.sync_contentsmanager", reason="another name in a jupytext of another age")
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    for name in ("pyproject.toml", "notebooks/src/03_generator.py", "notebooks/03_generator.ipynb"):
        shutil.copy(NOTEBOOKS.parent / name, tmp_path / name)
    source, committed = (tmp_path / "notebooks" / name for name in ("src/03_generator.py", "03_generator.ipynb"))
    before, stored = source.read_text(), nbformat.read(committed, 4)

    server = module.build_sync_jupytext_contents_manager_class(LargeFileManager)(root_dir=str(tmp_path))
    opened = server.get("notebooks/03_generator.ipynb")["content"]
    assert opened["metadata"]["kernelspec"]["name"] == "python3"
    assert [cell["source"] for cell in opened["cells"]] == [cell["source"] for cell in stored.cells]

    opened["cells"][2]["source"] = "answer = 1"
    server.save({"type": "notebook", "format": "json", "content": opened}, "notebooks/03_generator.ipynb")
    assert source.read_text() == before and "answer = 1" in committed.read_text()


def test_every_picture_has_a_text_alternative(pair):
    for cell in pair[1].cells:
        for output in cell.get("outputs", []):
            page = output.get("data", {}).get("text/html", "")
            assert "image/png" not in output.get("data", {}), "as a bare PNG a page would show it without its words"
            assert page.count("<img ") == len(re.findall(r'<img [^>]*alt="[^"]{9,}', page)), cell.source


def test_a_page_that_nbconvert_makes_has_these_words_too(pair):
    exporter = pytest.importorskip("nbconvert").HTMLExporter()
    shown = copy.deepcopy(pair[1])
    shown.cells = [cell for cell in shown.cells if cell.get("outputs")]
    page, _ = exporter.from_notebook_node(shown)
    pictures = re.findall(r"<img [^>]*>", page)
    assert pictures and all(re.search(r'alt="[^"]{9,}', picture) for picture in pictures)
    assert "No description has been provided" not in page


@pytest.fixture
def lesson(pair):
    """A notebook as committed."""
    return pair[1]


def headings(notebook):
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return [line for text in texts for line in text.splitlines() if line.startswith("#")]


def test_it_has_a_goal_a_time_a_prediction_and_an_end(lesson):
    first = lesson.cells[0].source
    assert any("lesson = begin(" in cell.source for cell in lesson.cells[:3])
    assert first.startswith("# ") and "**Goal.**" in first and "**Time.**" in first
    prose = "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")
    assert "*Predict before you run: " in prose.replace("\n", " ")
    assert headings(lesson)[-3:] == [
        "## What to remember",
        "## The paper, the code, and what we measured",
        "## New words",
    ]
    assert "| word | meaning |" in lesson.cells[-2].source
    assert lesson.cells[-1].metadata.tags == ["hand-in"] and "Nothing was written" in lesson.cells[-1].outputs[0].text


def test_each_prediction_has_a_cell_to_type_it_in_numbered_in_order(lesson):
    asked = re.compile(r"\*(Predict before you run|Before you look|Before you go on)")
    numbers = []
    for before, cell in zip(lesson.cells, lesson.cells[1:], strict=False):
        if asked.search(" ".join(before.source.split())) and before.cell_type == "markdown":
            numbers.append(len(numbers) + 1)
            assert cell.source.startswith(f"lesson.predict({numbers[-1]}, ...)"), before.source
    assert numbers and sum("lesson.predict(" in cell.source for cell in lesson.cells) == len(numbers)


SHOWS_AN_IMAGE = re.compile(r'alt="[^"]*(Rows of images|Five boxes|\d generated images|label \d)|!\[The lab')


def test_up_to_08_two_figures_show_what_was_generated_a_diagram_or_a_real_digit(lesson, request):
    if request.node.callspec.params["pair"].stem[:2] > "08":
        pytest.skip("asked of the notebooks 00 to 08")
    shown = [c.source if c.cell_type == "markdown" else "".join(o.get("data", {}).get("text/html", "") for o in c.outputs)
             for c in lesson.cells]  # fmt: skip
    assert sum(bool(SHOWS_AN_IMAGE.search(text)) for text in shown) >= 2


def test_it_has_as_many_exercises_as_its_place_asks_for(lesson, request):
    name = request.node.callspec.params["pair"].stem
    tasks = [line for line in headings(lesson) if line.startswith("### Exercise ")]
    blanks = [cell for cell in lesson.cells if build.exercise(cell)]
    few = {"00", "01", "02", "09", "10", "11", "ro"}
    assert len(tasks) == len(blanks) == (1 if name[:2] in few else 5 if name[:2] == "07" else 3)
    assert [line.partition(": ")[2] for line in tasks] == [exercise.title for exercise in find_exercises(name)]


def test_every_blank_was_left_blank_and_met_kindly(lesson):
    for cell in lesson.cells:
        if build.exercise(cell):
            (output,) = cell.outputs
            assert output.data["text/plain"].startswith("Nothing here yet.")
            assert "border-left" in output.data["text/html"]


def test_it_prints_three_numbers_to_four_digits(lesson):
    printed = "".join(o.get("text", "") for cell in lesson.cells for o in cell.get("outputs", []))
    assert len(re.findall(r"\d\.\d{4}\b", printed)) >= 3


def test_no_output_is_an_error_or_a_warning(pair):
    for cell in pair[1].cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")
