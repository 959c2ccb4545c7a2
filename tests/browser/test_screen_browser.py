"""The lab's screen in Chromium with made-up states and no Jupyter: what it shows, sends, measures and how it is reached.

It takes seconds, so that it runs in `make test`; with a kernel behind it, the screen is tested in test_lab_browser.py.
"""

import sys
from importlib.resources import files
from pathlib import Path

import pytest

pytest.importorskip("playwright")
sys.path.append(str(Path(__file__).parents[1] / "lab" / "widgets"))

from made_up_state import made_up_state  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
WIDGETS = files("rdskd_lab.lab.widgets")
PAGE = """<!doctype html><html lang=en><meta charset=utf-8><title>lab</title><link rel=stylesheet href=/screen.css>
<body style="margin:0" data-jp-theme-light="true"><main><div id=lab></div></main>"""
FILES = {"/": ("text/html", PAGE)} | {
    f"/screen.{kind}": (mime, (WIDGETS / f"screen.{kind}").read_text())
    for kind, mime in (("js", "text/javascript"), ("css", "text/css"))
}
AXE = ("serious", "critical")


class Shown:
    """A page that shows states; what the screen asks for is in `sent`."""

    def __init__(self, browser, wide, high):
        self.errors = []
        self.view = browser.new_page(viewport={"width": wide, "height": high})
        self.view.on("pageerror", lambda error: self.errors.append(str(error)))
        self.view.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.view.route("**/*", self._serve)
        self.view.goto("http://lab.test/")
        self.view.evaluate("import('/screen.js').then((m) => Object.assign(window, { draw: m.draw, sent: [] }))")

    def _serve(self, route):
        kind, text = FILES.get("/" + route.request.url.split("/", 3)[3], ("text/plain", ""))
        route.fulfill(body=text, content_type=kind)

    def draw(self, state: dict, **changes):
        """Show a state, its `live` part changed."""
        state["live"].update(changes)
        self.view.evaluate("s => { draw(document.querySelector('#lab'), s, (action) => sent.push(action)); }", state)

    def sent(self) -> list[dict]:
        return self.view.evaluate("sent.splice(0)")

    def at(self, key: str):
        return self.view.locator(f"[data-key='{key}']")

    def slide(self, key: str, to: int):
        """Put a slider at a place of 0 to 1000, as a pointer does."""
        self.at(key).evaluate(
            "(bar, to) => { bar.value = to; for (const kind of ['input', 'change']) bar.dispatchEvent(new Event(kind, { bubbles: true })); }",
            to,
        )


@pytest.fixture
def open_page(browser):
    pages = []

    def make(wide=1008, high=780) -> Shown:
        pages.append(Shown(browser, wide, high))
        return pages[-1]

    yield make
    for page in pages:
        page.view.close()
        assert page.errors == []


@pytest.fixture
def page(open_page):
    made = open_page()
    made.draw(made_up_state())
    return made


@pytest.mark.parametrize("only, cards", [("ie", "Class diversity"), ("bn", "Sample diversity"), ("student", None)])
def test_a_lab_about_one_loss_shows_its_card_alone_and_less_of_everything_else(open_page, only, cards):
    page, state = open_page(), made_up_state(terms=("oh", "ie", "ds", "bn"))
    page.draw(state)
    tall = page.view.locator(".rdskd-screen").bounding_box()["height"]
    page.draw(state | {"run": state["run"] | {"only": only, "id": 2}})
    shown = page.view.locator(".card").evaluate_all("all => all.filter((c) => c.offsetHeight).map((c) => c.ariaLabel)")
    assert shown == ([cards] if cards else [])
    assert page.at("play").is_visible() and page.view.locator(".sheet").first.is_visible()
    assert not page.view.locator(".pipeline").is_visible() and not page.at("example-collapse").is_visible()
    assert page.at("learn").is_visible() == (only == "student")
    key = {"student": "learn"}.get(only, f"{only}.on")
    page.at(key).click(force=True)
    asked = {"do": "learn", "on": False} if only == "student" else {"do": "edit", "term": only, "field": "on"}
    (sent,) = page.sent()
    assert asked.items() <= sent.items()
    assert page.view.locator(".rdskd-screen").bounding_box()["height"] < tall - 60


# ---- what is pressed ------------------------------------------------------------------------------------------------


def test_every_control_asks_for_what_it_says(page):
    def click(key):
        page.at(key).click(force=True)
        return page.sent()

    assert click("play") == [{"do": "play"}] and page.at("play").inner_text().strip() == "Pause"
    assert click("play") == [{"do": "pause"}] and page.at("play").inner_text().strip() == "Play"
    assert click("step") == [{"do": "step"}]
    assert click("reset") == [{"do": "reset"}]
    assert click("compare") == [{"do": "compare", "on": True}]
    for key in "readable", "collapse":
        assert click(f"example-{key}") == [{"do": "example", "name": key}]
    assert click("ie.on") == [{"do": "edit", "term": "ie", "field": "on", "value": False}]
    assert click("oh.damped") == [{"do": "edit", "term": "oh", "field": "damped", "value": False}]
    page.slide("oh.weight", 0)
    page.slide("oh.weight", 1000)
    page.slide("strength", 1000)
    page.slide("strength", 0)
    assert [action["value"] for action in page.sent()] == [0, 100, 50, 0]
    assert click("more") == [] and page.at("seed").is_visible()
    page.at("method").select_option("dafl")
    page.at("seed").fill("7")
    page.at("seed").press("Enter")
    page.at("window").select_option("0")
    page.at("ie.rule").select_option("average")
    page.at("ds.exact").fill("2.5")
    page.at("ds.exact").press("Enter")
    assert page.sent() == [
        {"do": "method", "name": "dafl"},
        {"do": "seed", "value": 7},
        {"do": "window", "steps": 0},
        {"do": "edit", "term": "ie", "field": "rule", "value": "average"},
        {"do": "edit", "term": "ds", "field": "weight", "value": 2.5},
    ]
    page.at("fork-term").select_option("ie")
    page.sent()
    for key, action in {
        "next-seed": {"do": "next_seed"},
        "learn": {"do": "learn", "on": False},
        "slow": {"do": "slow", "on": True},
        "fork": {"do": "fork", "term": "ie", "field": "on", "value": True},  # it was switched off above; see `live`
        "look-back": {"do": "look_back"},
        "share": {"do": "share"},
        "export": {"do": "export"},
        "report": {"do": "report"},
        "tries": {"do": "tries"},
        "stage": {"do": "stage"},
    }.items():
        found = click(key)
        assert found == [action] or key == "fork" and found == [{**action, "value": False}], key
    page.at("large").check()
    assert page.view.locator("#lab").evaluate("e => getComputedStyle(e).fontSize") == "16px"


def test_an_answer_goes_with_the_next_press_and_comes_again_only_if_it_is_asked_for_again(page):
    state, answer = made_up_state(), page.view.locator(".answer")
    for at in 1.5, 2.5:
        page.draw(state, told={"what": "share", "text": "rdskd1:rdskd:0:a", "at": at})
        assert answer.locator("textarea").input_value() == "rdskd1:rdskd:0:a"
        page.at("tries").click()
        page.draw(state)  # the kernel still tells it
        assert not answer.is_visible()
    page.draw(state, told={"what": "export", "text": "# rdskd", "at": 3.5})
    assert answer.is_visible()
    page.draw(state, told=None)  # of another run
    assert not answer.is_visible()


def test_the_marks_of_the_strength_are_reached(page):
    for place, value in (0, 0), (380, 1), (860, 20), (1000, 50):
        page.slide("strength", place)
        assert page.sent() == [{"do": "strength", "value": value}]
    assert "released code" in page.view.inner_text(".ticks")


def test_a_press_shows_at_once_and_the_model_has_the_last_word(page):
    state = made_up_state()
    page.at("ie.on").uncheck(force=True)
    page.draw(state)  # drawn before the kernel has heard of it
    assert not page.at("ie.on").is_checked()
    page.view.wait_for_timeout(2600)
    page.draw(state)  # it never came
    assert page.at("ie.on").is_checked()
    state["live"]["terms"]["ie"]["on"] = False  # somebody typed it in a cell
    page.draw(state)
    assert not page.at("ie.on").is_checked()


def test_the_focus_is_kept_when_another_method_comes(page):
    page.at("example-readable").focus()
    page.draw(made_up_state(terms=("oh", "ie", "ds", "bn")))
    assert page.view.evaluate("document.activeElement.dataset.key") == "example-readable"
    assert page.view.inner_text(".extra").startswith("bn not in RDSKD")


# ---- room -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wide", "most"), [(1008, 780), (700, 900), (592, 900)])
@pytest.mark.parametrize("terms", [("oh", "ie", "ds"), ("oh", "ie", "ds", "bn"), ("adv",)])
def test_it_fits_on_one_screen_and_nothing_is_cut(open_page, wide, most, terms):
    page = open_page(wide, most)
    for state in made_up_state(terms=terms), made_up_state(0, terms=terms), made_up_state(terms=terms, twin=True):
        page.draw(state)
        found = page.view.evaluate(
            """() => { const lab = document.querySelector('#lab'), box = lab.getBoundingClientRect();
            const out = [...lab.querySelectorAll('button, input, h3, .said, .number, canvas, .gain')].filter((e) => {
              const r = e.getBoundingClientRect(); return r.width && (r.right > innerWidth + 1 || r.bottom > box.bottom + 1); });
            const cut = [...lab.querySelectorAll('.said > span, .card h3 .name, .box')].filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth);
            return { high: box.height, wide: document.documentElement.scrollWidth, out: out.map((e) => e.className || e.tagName), cut: cut.map((e) => e.textContent) }; }"""
        )
        assert found["high"] <= most and found["wide"] <= wide and found["out"] == []
        if wide > 1000:
            assert found["cut"] == []


def test_nothing_moves_while_it_plays(page):
    page.view.evaluate(
        "() => { window.shift = 0; new PerformanceObserver((list) => { for (const e of list.getEntries()) shift += e.value; }).observe({ type: 'layout-shift', buffered: false }); }"
    )
    labels = set()
    for step in range(302, 342):
        page.draw(made_up_state(step, playing=True, seed=step))
        labels.add(page.view.inner_text(".cell .most") + page.view.inner_text(".cell .least"))
        page.view.wait_for_timeout(20)
    assert page.view.evaluate("shift") < 0.001  # only numbers, to the left when they get a digit more
    assert len(labels) <= 3  # the range of an axis changes seldom


def test_the_first_anchors_of_0_do_not_set_the_range(page):
    state = made_up_state(40)
    assert state["live"]["charts"]["terms"]["ie"]["anchor"][0] == 0
    page.draw(state)
    assert page.view.inner_text(".cell >> nth=1 >> .most").startswith("−")


def test_curves_stand_where_their_numbers_are(page):
    state = made_up_state(200)
    steps, values = list(range(2, 201, 2)), [0.1 + k / 1000 for k in range(100)]  # a straight line upwards
    state["live"]["charts"]["terms"]["oh"].update(steps=steps, probe=values, anchor=values)
    page.draw(state)
    d = page.view.get_attribute(".cell path.mine >> nth=0", "d")
    points = [tuple(map(float, point.split())) for point in d[1:].split("L")]
    assert points[0][0] == pytest.approx(10) and points[-1][0] == pytest.approx(1000)
    top, bottom = (float(page.view.inner_text(f".cell >> nth=0 >> .{end}")) for end in ("most", "least"))
    for (_, y), value in zip(points, values, strict=True):
        assert y == pytest.approx(100 * (top - value) / (top - bottom), abs=0.2)


def test_rows_by_class_hold_the_images_of_that_class(page):
    state = made_up_state()
    page.draw(state)
    page.at("sort").check()
    rows = page.view.evaluate(
        "[...document.querySelectorAll('.tile')].map((e) => [e.querySelector('b').textContent, e.style.getPropertyValue('--y')])"
    )
    assert all(name == row for name, row in rows) and len(rows) == 40
    assert page.view.locator(".head canvas").filter(visible=True).count() == 10


@pytest.mark.parametrize(("classes", "channels"), [(2, 3), (100, 3)])
def test_other_classes_and_colour(open_page, classes, channels):
    page = open_page()
    page.draw(made_up_state(classes=classes, channels=channels))
    page.at("sort").check()
    assert page.view.locator(".bars > div").count() == classes
    page.view.wait_for_function(
        "() => { const d = document.querySelector('.tile canvas').getContext('2d').getImageData(0, 0, 32, 32).data; return d.some((v, i) => i % 4 === 0 && v !== d[i + 1]); }"
    )  # a tile has colour


@pytest.mark.parametrize("wide", [390, 600, 1008])
def test_the_range_of_a_chart_stands_at_its_ends(open_page, wide):
    page = open_page(wide)
    page.draw(made_up_state())
    apart = """[...document.querySelectorAll('.chart')].filter((e) => e.checkVisibility()).map((e) => {
      const at = (name) => e.querySelector(name).getBoundingClientRect(), plot = at('.plot'), middle = (r) => (r.top + r.bottom) / 2;
      return [Math.abs(middle(at('.most')) - plot.top), Math.abs(middle(at('.least')) - plot.bottom)]; })"""
    found = page.view.evaluate(apart)
    assert found and max(map(max, found)) < 10, found


# ---- access ---------------------------------------------------------------------------------------------------------


def test_at_most_sixteen_stops_for_tab(page):
    page.draw(made_up_state(terms=("oh", "ie", "ds", "bn"), twin=True))
    page.view.evaluate("document.activeElement.blur()")
    stops = []
    for _ in range(40):
        page.view.keyboard.press("Tab")
        key = page.view.evaluate("document.activeElement.dataset.key ?? null")
        if key is None or key in stops:
            break
        stops.append(key)
    assert stops[0] == "play" and {"oh.on", "oh.weight", "oh.damped", "strength", "step"} <= set(stops)
    assert len(stops) <= 16, stops
    page.at("step").focus()
    page.view.keyboard.press("ArrowRight")
    assert page.view.evaluate("document.activeElement.dataset.key") == "reset"


def test_every_control_says_in_a_sentence_what_it_does(page):
    titles = page.view.evaluate(
        "[...document.querySelectorAll('#lab [data-key]')].map((e) => [e.dataset.key, e.title, e.innerText || e.getAttribute('aria-label') || e.labels?.[0]?.innerText])"
    )
    for key, title, name in titles:
        assert title and title.endswith(".") and "null" not in title and len(title) < 140, key
        assert name and name.strip(), key


@pytest.mark.parametrize("light", ["true", "false"])
def test_axe_finds_nothing_serious(page, light):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.view.emulate_media(reduced_motion="reduce")  # or axe measures a colour half way between two themes
    page.view.evaluate("light => { document.body.dataset.jpThemeLight = light; }", light)
    page.draw(made_up_state(twin=True))
    for opened in False, True:
        if opened:
            page.at("more").click()
        said = axe.Axe().run(page.view, context="#lab").response["violations"]
        assert [
            (v["id"], v["nodes"][0]["html"][:150], v["nodes"][0]["failureSummary"][:200])
            for v in said
            if v["impact"] in AXE
        ] == []
