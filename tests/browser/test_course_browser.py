"""Each notebook in a real JupyterLab: it opens, formulas are typeset, Run All ends without an error, figures are there."""

import re
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("playwright.sync_api")

from jupyter import browser, notebook, server, wait_for  # noqa: E402, F401

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_ends_without_an_error_and_the_figures_are_there(path, notebook):  # noqa: F811
    committed = nbformat.read(path, 4)
    blank = deepcopy(committed)  # so that what is found afterwards was run here
    for cell in blank.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    page = notebook(blank)
    typeset = page.view.locator(".jp-RenderedMarkdown mjx-container")
    wait_for(lambda: typeset.count() == formulas(committed), 60)
    assert page.view.locator("mjx-merror, [data-mjx-error]").count() == 0
    page.view.get_by_role("menuitem", name="Run", exact=True).click()
    page.view.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    last = max(cell.execution_count for cell in committed.cells if cell.cell_type == "code")

    def saved():
        page.view.keyboard.press("Control+s")
        page.rest(2)
        cells = [cell for cell in nbformat.read(page.path, 4).cells if cell.cell_type == "code"]
        stopped = [o for cell in cells for o in cell.outputs if o.output_type == "error"]
        return cells if stopped or max(cell.execution_count or 0 for cell in cells) >= last else None

    ran = wait_for(saved, 500)
    was = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert not [output for cell in ran for output in cell.outputs if output.output_type == "error"]
    assert [shown(cell) for cell in ran] == [shown(cell) for cell in was]


def formulas(book) -> int:
    """How many $...$ and $$...$$ stand in its words, code left out."""
    texts = (re.sub(r"`[^`]*`", "", cell.source) for cell in book.cells if cell.cell_type == "markdown")
    return sum(len(re.findall(r"\$\$.+?\$\$|\$[^$]+?\$", text, re.DOTALL)) for text in texts)


def shown(cell) -> int:
    """Figures and labs in a cell's output; a lab is a page and its picture."""
    return sum(bool({"text/html", VIEW} & set(output.get("data", {}))) for output in cell.outputs)
