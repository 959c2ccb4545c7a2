"""A page of recorded runs in Chromium, opened as a file: every control, every number, no request, no kernel.

A small tree is recorded for these tests as tools/record_tree.py records the one that ships.  Speed and size of that one
are measured by hand: pytest -s -m measure tests/browser/test_page_browser.py
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright")

import record_tree  # noqa: E402
from recorded import SMALL  # noqa: E402
from waiting import wait_for  # noqa: E402

from rdskd_lab.lab.sharing.page import packed, page, player  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
TOP = Path(__file__).resolve().parents[2]
MOMENTS, WATCHED = (0, 20), 20
SIZES = ((390, 844), (1440, 900))
AXE = ("serious", "critical")
# What the page shows, as a reader sees it.
READ = """() => {
  const text = (root, query) => root.querySelector(query)?.textContent ?? null;
  const all = (query) => [...document.querySelectorAll(query)];
  return {
    step: text(document, '.status b'), reason: text(document, '.status span:last-child'), since: text(document, '.since span'),
    numbers: all('.number b').map((e) => e.textContent),
    cards: all('.card').map((e) => [e.querySelector('h3 input').checked, text(e, '.pull span:last-child'), text(e, '.gain span:last-child'), text(e, 'output'), text(e, '.row:last-child .gain')]),
    values: all('.cell .value').map((e) => e.textContent),
    tiles: all('.tile').filter((e) => !e.hidden).map((e) => [text(e, 'b'), text(e, 'p span')]),
    fluctuation: all('.fluctuation').map((e) => (e.classList.contains('empty') || e.classList.contains('plain') ? null : [...e.querySelectorAll('.fbar:not(.none) .f')].map((f) => f.textContent))),
    shares: all('.bars > div').map((e) => e.title),
  };
}"""


@pytest.fixture(scope="module")
def tree():
    """A small tree: every switch at steps 0 and 20, watched for 20 steps."""
    patch = pytest.MonkeyPatch()
    start = record_tree.start
    patch.setattr(record_tree, "start", lambda *args, **how: start(*args, **how, settings=SMALL))
    patch.setattr(record_tree, "MOMENTS", MOMENTS)
    patch.setattr(record_tree, "WATCHED", WATCHED)
    made = record_tree.tree()
    patch.undo()
    made.images = 10
    return made


@pytest.fixture(scope="module")
def file(tree, tmp_path_factory):
    """The tree as a page, with a second recording and a link beside it."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    first = packed(tree)
    other = {**first, "title": "The other", "branches": {"run": first["branches"]["run"]}}
    path.write_text(
        page("A tree", player([first, other, {"title": "Elsewhere", "href": "elsewhere.html"}])), encoding="utf-8"
    )
    return path


class Shown:
    """The page in a window."""

    def __init__(self, browser, file, wide=1440, high=900, **how):
        self.wrong, self.asked = [], []
        how = {"reduced_motion": "reduce"} | how  # then nothing plays by itself
        self.view = browser.new_page(viewport={"width": wide, "height": high}, **how)
        self.view.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.view.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.view.on("request", lambda request: self.asked.append(request.url))
        self.view.goto(file.as_uri())
        self.view.wait_for_selector("[data-key=play]")

    def at(self, key: str):
        return self.view.locator(f"[data-key='{key}']")

    def read(self) -> dict:
        return self.view.evaluate(READ)

    def step(self) -> int:
        return int(self.read()["step"].removeprefix("Step ").replace(",", ""))

    def go(self, step: int) -> None:
        self.at("scrubber").evaluate(
            "(bar, to) => { bar.value = to; bar.dispatchEvent(new Event('input', { bubbles: true })); }", step
        )

    def press(self, key: str) -> None:
        """Press a switch, as a finger does."""
        self.at(key).click(force=True)

    def slide(self, key: str, to: int) -> None:
        """Put a slider at a place of 0 to 1000."""
        self.at(key).evaluate(
            "(bar, to) => { for (const kind of ['input', 'change']) { bar.value = to; bar.dispatchEvent(new Event(kind, { bubbles: true })); } }",
            to,
        )

    def may(self) -> list[str]:
        """The switches and sliders that are not greyed."""
        return self.view.evaluate(
            "[...document.querySelectorAll('.cards input, .strength input')].filter((e) => !e.disabled).map((e) => e.dataset.key)"
        )


@pytest.fixture
def open_page(browser, file):
    pages = []

    def make(wide=1440, high=900, path=None, **how) -> Shown:
        pages.append(Shown(browser, path or file, wide, high, **how))
        return pages[-1]

    yield make
    for one in pages:
        one.view.close()
        assert one.wrong == [] and [url for url in one.asked if not url.startswith(("file:", "data:"))] == []
        assert len([url for url in one.asked if url.startswith("file:")]) == 1


def short(x: float | None) -> str:
    """Three significant digits, as the lab's screen writes them."""
    if x is None:
        return "–"
    text = "0" if x == 0 else f"{x:.0f}" if abs(x) >= 100 else f"{x:.3g}"
    assert "e" not in text, "not met in these runs"
    return text.replace("-", "−")


def percent(x: float) -> str:
    return f"{math.floor(100 * x + 0.5)} %"


def truth(trace, step: int) -> dict:
    """What a run's own history says of a step, without a word of page.py."""
    moment, record = trace.moments[step], trace.record
    shares = moment.shares[moment.shares > 0]
    accuracy = [a for at, a in zip(record.student["step"], record.student["accuracy"], strict=True) if at <= step]
    settings = {
        name: dict(on=t.on, weight=t.weight, damped=t.damped, strength=t.strength) for name, t in trace.terms.items()
    }
    for edit in record.edits:
        if edit.step <= step and edit.term != "student":
            settings[edit.term][edit.field] = edit.value
    cards = []
    for name, how in settings.items():
        column, raw = record.columns[f"{name}_anchor"], moment.look.raw[name]
        anchor = column[step] if step < len(column) else record.anchors[name]
        b, rise = how["strength"], raw - anchor
        if b != 1:
            rise = np.clip(b * (rise if anchor else 0), -math.log(20), math.log(20))
        gain = math.exp(rise) if how["damped"] and b else 1.0
        shown = ("1" if not how["damped"] else f"{gain:.{1 if gain >= 9.995 else 2}f}") if how["on"] else ""
        cards.append([how["on"], percent(moment.look.share[name]) if how["on"] else "off", shown, short(how["weight"])])
    return {
        "step": f"Step {step}",
        "numbers": [
            f"{math.exp(-(shares * np.log(shares)).sum()):.1f}" if len(shares) else "–",
            percent(float(moment.look.confidence.mean())),
            percent(accuracy[-1]),
        ],
        "cards": cards,
        "values": [short(raw) for raw in moment.look.raw.values()] + [percent(accuracy[-1])],
        "shares": [f"{k}: {percent(share)}" for k, share in enumerate(moment.shares.tolist())],
        "fluctuation": [
            fluctuation(record, name, step) for name in settings if settings[name]["on"] and settings[name]["damped"]
        ],
    }


def fluctuation(record, name: str, step: int) -> str | None:
    """F: the mean rise a step on the probe over the last 100 steps, in thousandths, with its standard error."""
    steps, values = (
        np.array([x for at, x in zip(record.probe["step"], record.probe[key], strict=True) if at <= step])
        for key in ("step", name)
    )
    if step < 100:
        return None
    kept = values[steps >= step - 100]
    rises = np.maximum(np.diff(kept), 0) / 2
    error = np.std([block.mean() for block in np.array_split(rises, 10)], ddof=1) / math.sqrt(10)
    return f"{1000 * rises.mean():.1f} ± {1000 * error:.1f}"


def into(shown: Shown, branches: dict, key: str) -> None:
    """Press what leads into a branch, from the beginning."""
    branch = branches[key]
    if not branch.parent:
        shown.at("reset").click()
        return
    into(shown, branches, branch.parent)
    shown.go(branch.since)
    edit = branch.edits[0]
    if edit.field == "on":
        shown.press(f"{edit.term}.on")
    else:
        shown.slide(
            {"strength": "strength"}.get(edit.field, f"{edit.term}.weight"), {0.0: 0, 20.0: 860, 30.0: 860}[edit.value]
        )


def check_branch(shown: Shown, about, key: str) -> int:
    """Compare every number of every frame of a branch with its run's history; return how many frames."""
    branch = about.branches[key]
    into(shown, about.branches, key)
    steps = [at for at in sorted(branch.trace.moments) if at >= branch.since and at % about.every == 0]
    for step in steps:
        shown.go(step)
        found, expected = shown.read(), truth(branch.trace, step)
        for part in "step", "numbers", "values":
            assert found[part] == expected[part], (key, step, part)
        assert [card[:4] for card in found["cards"]] == expected["cards"], (key, step)
        assert [title.split("; twin")[0] for title in found["shares"]] == expected["shares"], (key, step)
        mine = [f[0] for f in found["fluctuation"] if f]
        assert mine == [f for f in expected["fluctuation"] if f], (key, step)
        pictured = max(at for at in branch.trace.moments if at <= step and at % about.images == 0)
        if pictured >= branch.since + (1 if branch.parent else 0):
            look = branch.trace.moments[pictured].look
            tiles = [
                [str(k), percent(float(sure)).removesuffix(" %")]
                for k, sure in zip(look.labels, look.confidence, strict=True)
            ]
            assert found["tiles"] == tiles, (key, step)
    return len(steps)


def test_every_number_of_every_branch_is_that_of_the_recorded_run(open_page, tree):
    shown = open_page()
    assert len(tree.branches) == 1 + 2 * 6 + 1
    assert sum(check_branch(shown, tree, key) for key in tree.branches) == 5 + 13 * 3


# ---- controls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wide", "high"), SIZES)
def test_every_control_does_what_it_says(open_page, wide, high):
    shown = open_page(wide, high, reduced_motion="no-preference")
    assert shown.step() == 0 and shown.read()["reason"] == "Press Play."
    shown.at("rate").fill("10")
    shown.view.keyboard.press("Enter")
    shown.at("play").click()
    assert shown.at("play").inner_text().strip() == "Pause"
    wait_for(lambda: shown.step() == 40)
    wait_for(lambda: "ends here" in shown.read()["reason"])
    assert shown.at("play").inner_text().strip() == "Play"
    shown.at("back").click()
    assert shown.step() == 30
    shown.at("step").click()
    assert shown.step() == 40
    shown.at("backwards").click()
    wait_for(lambda: shown.step() == 0)
    wait_for(lambda: shown.read()["reason"] == "This is the beginning.")
    shown.at("rate").fill("10")
    shown.view.keyboard.press("Enter")
    shown.at("play").click()
    shown.at("play").click()
    assert shown.read()["reason"] == "Paused."
    shown.at("scrubber").focus()
    shown.view.keyboard.press("End")
    assert shown.step() == 40
    shown.view.keyboard.press("ArrowLeft")
    assert shown.step() == 30
    shown.view.keyboard.press("Home")
    assert shown.step() == 0
    shown.at("sort").check()
    assert shown.view.locator(".sheet.sorted").count() == 1
    shown.at("sort").uncheck()
    shown.press("oh.on")
    assert not shown.at("oh.on").is_checked()
    assert shown.read()["reason"] == "Went on from step 0, where this was recorded."
    wait_for(lambda: shown.step() == 20)  # it plays, to see what the press did, to where that branch ends
    shown.at("reset").click()
    assert shown.at("oh.on").is_checked() and shown.step() == 0
    shown.view.get_by_role("radio", name="The other").check()
    assert shown.may() == [] and "no switch was recorded" in shown.view.inner_text(".why")
    shown.view.get_by_role("radio", name="RDSKD").check()
    assert shown.view.get_by_role("link", name="Elsewhere").get_attribute("href") == "elsewhere.html"


def test_a_press_goes_on_with_the_branch_that_was_recorded(open_page):
    shown = open_page()
    assert set(shown.may()) == {"oh.on", "ie.on", "ds.on", "oh.weight", "strength"}
    shown.go(30)
    shown.press("ie.on")
    found = shown.read()
    assert found["step"] == "Step 20"
    assert found["reason"] == "Went on from step 20, where this was recorded. Press Play."
    assert found["since"] == "Not tested against luck" or "class diversity off" in found["since"]
    assert shown.may() == ["ie.on"] and "Greyed: not recorded together with it." in shown.view.inner_text(".why")
    shown.go(40)
    assert shown.view.locator(".tile.changed").count() > 0 and shown.view.locator(".key .twin").is_visible()
    shown.press("ie.on")  # no press of it was recorded here, so it is undone
    assert shown.step() == 40 and shown.read()["reason"].startswith("Undone") and shown.at("ie.on").is_checked()
    shown.at("reset").click()
    shown.press("ie.on")
    shown.go(20)
    shown.press("ie.on")  # here it was recorded
    assert shown.step() == 20 and "switched class diversity on" in shown.read()["since"]
    shown.go(10)  # before it was pressed: the run that it left
    assert not shown.at("ie.on").is_checked()
    shown.go(30)
    assert shown.at("ie.on").is_checked()


def test_a_slider_moves_to_the_next_recorded_value(open_page):
    shown = open_page()
    shown.at("oh.weight").focus()
    shown.view.keyboard.press("ArrowRight")
    assert shown.view.locator(".card output").first.inner_text() == "30"
    shown.view.keyboard.press("ArrowLeft")
    assert shown.view.locator(".card output").first.inner_text() == "1"
    for to, value in (1000, "20"), (400, "1"), (0, "0"), (1000, "20"):
        shown.slide("strength", to)
        assert shown.view.inner_text(".strength output") == value
    shown.go(10)
    shown.slide("strength", 0)
    assert shown.read()["reason"].startswith("The same step of the run with") and shown.step() == 10


# ---- access ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wide", [320, 390, 600, 768, 1024, 1440, 1920])
def test_nothing_is_wider_than_the_window(open_page, wide):
    shown = open_page(wide, 800)
    shown.press("ie.on")
    shown.go(20)
    assert shown.view.evaluate("document.documentElement.scrollWidth") <= wide
    small = shown.view.evaluate(
        "[...document.querySelectorAll('.rdskd-screen button, .rdskd-screen input')].filter((e) => { const r = e.getBoundingClientRect(); return r.width && (r.right > innerWidth + 1 || r.left < -1); }).map((e) => e.dataset.key)"
    )
    assert small == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("wide", "high"), SIZES)
def test_axe_finds_nothing_serious(open_page, wide, high, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    shown = open_page(wide, high, color_scheme=scheme, reduced_motion="reduce")
    for step in 0, 20:
        shown.go(step)
        shown.press("ie.on")
        said = axe.Axe().run(shown.view).response["violations"]
        assert [
            (v["id"], v["nodes"][0]["html"][:150], v["nodes"][0]["failureSummary"][:300])
            for v in said
            if v["impact"] in AXE
        ] == []
    assert shown.view.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(22, 24, 27)" if scheme == "dark" else "rgb(255, 255, 255)"
    )


def test_by_keyboard_and_by_ear(open_page):
    shown = open_page(reduced_motion="reduce")
    stops = []
    for _ in range(40):
        shown.view.keyboard.press("Tab")
        key = shown.view.evaluate("document.activeElement.dataset.key ?? document.activeElement.tagName")
        if key in stops and key != "INPUT":
            break
        stops.append(key)
    assert {"play", "back", "scrubber", "rate", "ie.on", "oh.weight", "strength", "sort"} <= set(stops)
    shown.at("ie.on").focus()
    shown.view.keyboard.press("Space")
    spoken = shown.view.inner_text("[role=status].spoken")
    assert spoken.startswith("Step 0: ")
    assert "Went on from step 0" in spoken and "switched class diversity off" in spoken
    assert shown.view.evaluate("document.activeElement.dataset.key") == "ie.on"
    shown.at("play").focus()
    shown.view.keyboard.press("Enter")
    assert shown.view.evaluate("document.getAnimations().length") == 0


# ---- the page that ships ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The tree of results/page as one page."""
    path = tmp_path_factory.mktemp("shipped") / "index.html"
    found = json.loads((TOP / "results" / "page" / "tree.json").read_text("utf-8"))
    path.write_text(page(found["title"], player([found])), encoding="utf-8")
    return path


def test_the_shipped_tree_fits_and_each_of_its_branches_plays(open_page, shipped):
    assert shipped.stat().st_size <= 3e6
    shown = open_page(path=shipped)
    for moment in record_tree.MOMENTS:
        for key in "oh.on", "ie.on", "ds.on":
            shown.at("reset").click()
            shown.go(moment)
            shown.press(key)
            assert shown.step() == moment and not shown.at(key).is_checked()
            shown.at("scrubber").focus()
            shown.view.keyboard.press("End")
            assert shown.step() == moment + record_tree.WATCHED
            assert f"{record_tree.WATCHED} steps" in shown.read()["since"] or "beyond luck" in shown.read()["since"]


SLOW = 4  # times slower than this machine
MOVING = """() => new Promise((done) => {
  const canvas = document.querySelector('.tile canvas'), pixels = () => canvas.toDataURL();
  const first = pixels(), begun = performance.now();
  document.querySelector('[data-key=play]').click();
  const look = () => (pixels() === first ? requestAnimationFrame(look) : done(performance.now() - begun));
  look();
})"""
FRAMES = """() => new Promise((done) => {
  const canvas = document.querySelector('.tile canvas'), before = CanvasRenderingContext2D.prototype.drawImage;
  let drawn = 0;
  CanvasRenderingContext2D.prototype.drawImage = function (...args) { if (this.canvas === canvas) drawn += 1; return before.apply(this, args); };
  const steps = new Set(), begun = performance.now();
  const watch = () => {
    steps.add(document.querySelector('.status b').textContent);
    if (document.querySelector('.rdskd-screen.playing')) requestAnimationFrame(watch);  // 600 steps end after 1.5 s
    else done([steps.size, drawn].map((many) => (many / (performance.now() - begun)) * 1000));
  };
  document.querySelector('[data-key=play]').click();
  watch();
})"""
PRESS = """(key) => new Promise((done) => {
  const begun = performance.now();
  document.querySelector(`[data-key="${key}"]`).click();
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
})"""


@pytest.mark.measure
@pytest.mark.parametrize(("wide", "high"), SIZES)
def test_the_shipped_tree_is_quick_on_a_slow_machine(open_page, shipped, wide, high):
    shown = open_page(wide, high, path=shipped)
    shown.view.context.new_cdp_session(shown.view).send("Emulation.setCPUThrottlingRate", {"rate": SLOW})
    shown.view.reload()
    shown.asked.clear()
    shown.asked.append(shipped.as_uri())
    shown.view.wait_for_selector("[data-key=play]")
    ready = shown.view.evaluate("performance.now()")
    moving = shown.view.evaluate(MOVING)
    pressed = []
    for moment in 0, 150, 300:
        for key in "oh.on", "ie.on", "ds.on":
            shown.at("reset").click()
            shown.go(moment + 10)
            pressed.append(shown.view.evaluate(PRESS, key))
    shown.at("reset").click()
    shown.at("rate").fill("400")
    shown.view.keyboard.press("Enter")
    states, frames = shown.view.evaluate(FRAMES)
    print(
        f"\n{wide} px, {SLOW} x slowed: controls after {ready:.0f} ms, first picture moving {moving:.0f} ms after Play, "
        f"a press shown after {np.median(pressed):.0f} ms (worst {max(pressed):.0f}), {states:.0f} states and {frames:.0f} sheets a second"
    )
    assert moving <= 2000 and max(pressed) <= 100 and states >= 20
