"""The report of a run in Chromium: drawn without errors or requests, readable on a telephone and by axe."""

import pytest
from fake_run import make_run

pytest.importorskip("playwright")
pytest.importorskip("plotly")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

from rdskd_lab.reporting.run_report import write_report  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_drawn_without_errors_or_requests(browser, tmp_path):
    address, wrong, asked = write_report(make_run(tmp_path / "run")).as_uri(), [], []
    view = browser.new_page(viewport={"width": 400, "height": 800}, color_scheme="dark")
    view.on("console", lambda message: wrong.append(message.text))
    view.on("pageerror", lambda error: wrong.append(str(error)))
    view.on("request", lambda request: asked.append(request.url))
    view.goto(address)
    view.wait_for_function("document.querySelectorAll('.plot .main-svg').length >= 20")
    assert view.evaluate("document.documentElement.scrollWidth") == 400, "nothing is wider than a telephone"
    assert view.locator("[data-title^=Share], [data-title*=Cloud]").count() == 0, "no chart is sent anywhere"
    found = axe.Axe().run(view).response["violations"]
    assert not [v["id"] for v in found if v["impact"] in ("serious", "critical")]
    assert not wrong and [url for url in asked if not url.startswith("data:")] == [address]
