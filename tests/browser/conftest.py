"""One JupyterLab for all browser tests; `notebook(cells)` opens a notebook there, in Chromium."""

import pytest
from jupyter import CHROMIUM, FLAGS, Page, Server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("jupyter"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser():
    """Of a module alone: while Playwright is open, no other test can run an event loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


@pytest.fixture
def notebook(server, browser):
    """notebook(cells, ...) -> Page; all are closed at the end."""
    pages = []

    def open_notebook(cells, **options):
        pages.append(Page(server, browser, cells, **options))
        return pages[-1]

    yield open_notebook
    for page in pages:
        page.close()
