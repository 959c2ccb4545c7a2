"""Notebooks in a real JupyterLab: each opens with its formulas typeset; the one with labs is run as a learner does.

What the cells of all others give is compared in `make test` and `make test-all`, without a page.
"""

import re
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("playwright.sync_api")

from jupyter import wait_for  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(400)]  # a busy machine trains slowly
NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
VIEW = "application/vnd.jupyter.widget-view+json"


def test_formulas_are_typeset(notebook):
    """All in one notebook, of the cells that have some: to open a page takes longer than to typeset it."""
    books = [nbformat.read(path, 4) for path in NOTEBOOKS]
    texts = [cell.source for book in books for cell in book.cells if formulas(cell)]
    book = nbformat.v4.new_notebook(metadata={"kernelspec": books[0].metadata.kernelspec})
    book.cells = [nbformat.v4.new_code_cell(), *map(nbformat.v4.new_markdown_cell, texts)]
    expected = sum(map(formulas, book.cells))
    assert expected > 100
    page = notebook(book)
    typeset = page.view.locator(".jp-RenderedMarkdown mjx-container")
    wait_for(lambda: typeset.count() == expected, 60)
    assert page.view.locator("mjx-merror, [data-mjx-error]").count() == 0


def test_every_figure_of_the_course_has_its_words_in_the_page(notebook):
    """All in one notebook, with the outputs as committed; a screen reader hears what the DOM says, not the metadata."""
    books = [nbformat.read(path, 4) for path in NOTEBOOKS]
    cells = [
        cell
        for book in books
        for cell in book.cells
        if any("text/html" in o.get("data", {}) for o in cell.get("outputs", []))
    ]
    book = nbformat.v4.new_notebook(metadata={"kernelspec": books[0].metadata.kernelspec})
    book.cells = [nbformat.v4.new_code_cell(outputs=cell.outputs) for cell in cells]
    expected = sum(
        "".join(o.data["text/html"]).count("<img ")
        for cell in cells
        for o in cell.outputs
        if "text/html" in o.get("data", {}) and VIEW not in o.data
    )
    assert expected > 30
    page = notebook(book)
    alts = "[...document.querySelectorAll('.jp-RenderedHTML img')].map((image) => image.alt)"
    seen = set()
    for k in range(len(cells)):  # the notebook draws what is in sight
        page.view.locator(".jp-Notebook .jp-Cell").nth(k).scroll_into_view_if_needed()
        page.rest(0.2)
        found = page.view.evaluate(alts)
        assert all(len(words) > 20 for words in found)
        seen |= set(found)
    assert len(seen) >= 0.9 * expected


def test_run_all_ends_without_an_error_and_the_figures_and_labs_are_there(notebook):
    committed = nbformat.read(next(path for path in NOTEBOOKS if path.stem == "09_experiments"), 4)
    blank = deepcopy(committed)  # so that what is found afterwards was run here
    for cell in blank.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    page = notebook(blank)
    page.view.get_by_role("menuitem", name="Run", exact=True).click()
    page.view.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    last = max(cell.execution_count for cell in committed.cells if cell.cell_type == "code")

    def saved():
        page.view.keyboard.press("Control+s")
        page.rest(2)
        cells = [cell for cell in nbformat.read(page.path, 4).cells if cell.cell_type == "code"]
        stopped = [o for cell in cells for o in cell.outputs if o.output_type == "error"]
        return cells if stopped or max(cell.execution_count or 0 for cell in cells) >= last else None

    ran = wait_for(saved, 240)
    was = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert not [output for cell in ran for output in cell.outputs if output.output_type == "error"]
    assert [shown(cell) for cell in ran] == [shown(cell) for cell in was]


def formulas(cell) -> int:
    """How many $...$ and $$...$$ stand in a cell of words, code left out."""
    text = re.sub(r"`[^`]*`", "", cell.source) if cell.cell_type == "markdown" else ""
    return len(re.findall(r"\$\$.+?\$\$|\$[^$]+?\$", text, re.DOTALL))


def shown(cell) -> int:
    """Figures and labs in a cell's output; a lab is a page and its picture."""
    return sum(bool({"text/html", VIEW} & set(output.get("data", {}))) for output in cell.outputs)
