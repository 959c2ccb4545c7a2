"""The site from a static server and from files, in Chromium that may reach nothing but this machine."""

import re
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urljoin, urlsplit

import pytest

pytest.importorskip("playwright")
pytest.importorskip("latex2mathml")
pytest.importorskip("ziamath")

import build_site  # noqa: E402
from jupyter import CHROMIUM, FLAGS  # noqa: E402
from waiting import wait_for  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
GUIDE, FORMULAS = "notebooks/INSTRUCTOR.html", "notebooks/04_authenticity.html"
SOME = ("index.html", "play/collapse.html", "course.html", "docs/own-teacher.html", "results/SCOREBOARD.html", FORMULAS)
# No name is looked up, so whatever lies elsewhere cannot be reached, and whoever asks for it is seen.
ALONE = ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "site"
    build_site.build(out)
    return out


@pytest.fixture(scope="module")
def address(site):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def alone():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *ALONE])
        yield made
        made.close()


@pytest.fixture
def view(alone, request):
    """A window; nothing was asked for elsewhere, and nothing went wrong, when it is closed."""
    wrong, asked = [], []
    made = alone.new_page(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    made.on("requestfailed", lambda one: None if "ABORTED" in one.failure else wrong.append(one.url))  # left too soon
    made.on("request", lambda one: asked.append(one.url))
    yield made
    made.close()
    assert wrong == []
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "file:", "data:"))] == []


class Links(HTMLParser):
    """Every address that a page names, and every place in it that can be named."""

    def __init__(self, text: str):
        super().__init__()
        self.named, self.places = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.places.add(found.get("id"))
        for name in "href", "src":
            if found.get(name) and not found[name].startswith("data:"):
                self.named.add(found[name])


def test_all_links_lead_somewhere_and_all_sizes_are_kept(site):
    pages = {path.relative_to(site).as_posix(): Links(path.read_text("utf-8")) for path in site.rglob("*.html")}
    lost = []
    for place, page in pages.items():
        for url in page.named:
            target = urlsplit(urljoin("http://site/" + place, url))
            if target.netloc != "site":
                continue
            path = unquote(target.path).lstrip("/")
            if not (site / path).is_file() or (target.fragment and target.fragment not in pages[path].places):
                lost.append((place, url))
    assert lost == []
    notebooks = {f"notebooks/{path.stem}.html" for path in (build_site.TOP / "notebooks").glob("*.ipynb")}
    assert len(notebooks) >= 14
    for place in "README.html", "course.html":
        assert notebooks == {url for url in pages[place].named if "notebooks/" in url and url != GUIDE}
    assert (site / "index.html").stat().st_size <= 3e6
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) <= 30e6


@pytest.mark.parametrize("holds", [["thesis.txt"], ["index.html", "site.css"], ["index.html", "math.woff", ".git"]])
def test_only_a_site_made_before_gives_way(site, tmp_path, holds):
    """A folder that holds the repository is only asked about: a test that fails must remove nothing."""
    for name in holds:
        (tmp_path / name).write_text("mine")
    build, refuse = build_site.build, build_site.refuse
    for act, place in (build, tmp_path), (build, tmp_path / holds[0]), (refuse, build_site.TOP.parent):
        with pytest.raises(SystemExit, match="name a new folder"):
            act(place)
    assert refuse(site) is None and {path.name for path in tmp_path.iterdir()} == set(holds)


def test_no_page_loads_anything_from_elsewhere(site, address, view):
    for path in sorted(site.rglob("*.html")):
        if path.name == "all.html":
            continue
        view.goto(address + path.relative_to(site).as_posix(), wait_until="load")
        assert view.evaluate("document.documentElement.scrollWidth") <= 390, path.name
    named = {url for path in site.rglob("*.html") for url in Links(path.read_text("utf-8")).named if "//" in url}
    assert not [url for url in named if re.search(r"\.(js|css|woff2?|ttf)$", url)]


def test_formulas_are_drawn_with_the_letters_that_are_there(address, view):
    view.goto(address + FORMULAS)
    view.evaluate("document.fonts.ready")
    fonts = "[...document.fonts].filter((f) => f.family.includes('STIX')).map((f) => f.status)"
    assert view.evaluate(fonts) == ["loaded"]
    assert view.locator("math").count() > 10 and "$" not in view.inner_text("main").replace("$(", "")
    boxes = "[...document.querySelectorAll('.display mfrac')].map((e) => e.getBoundingClientRect())"
    sizes = view.evaluate(f"{boxes}.map((r) => [r.width, r.height])")
    assert sizes and all(high > 30 for _, high in sizes), "a fraction stands on two lines"
    assert any(wide > 30 for wide, _ in sizes), sizes


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("wide", [390, 1440])
def test_axe_finds_nothing_serious(address, view, wide, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    view.set_viewport_size({"width": wide, "height": 900})
    view.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for place in SOME:
        view.goto(address + place)
        said = axe.Axe().run(view).response["violations"]
        assert [
            (place, v["id"], v["nodes"][0]["html"][:150], v["nodes"][0]["failureSummary"][:300])
            for v in said
            if v["impact"] in ("serious", "critical")
        ] == []


def test_the_player_opens_from_a_file_and_stands_above_the_fold(site, view):
    for place, wide, high in ("index.html", 390, 844), ("index.html", 1440, 900), ("play/all.html", 1440, 900):
        view.set_viewport_size({"width": wide, "height": high})
        view.goto((site / place).as_uri())
        box = view.locator("[data-key=play]").bounding_box()
        first = view.locator(".tile").first.bounding_box()
        assert box["y"] + box["height"] < 0.6 * high and first["y"] + first["height"] < high, (place, wide)
        view.locator("[data-key=play]").click()
        wait_for(lambda: view.locator(".status b").inner_text() != "Step 0")
    for name in view.locator(".runs label span").all_inner_texts()[1:]:
        view.get_by_role("radio", name=name).check()
        assert view.locator(".status b").inner_text() == "Step 0"
