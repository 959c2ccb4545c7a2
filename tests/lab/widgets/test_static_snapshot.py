"""The still that stays of a lab: what it shows, in both themes, where neither kernel nor script runs."""

import json
import xml.etree.ElementTree as ET
from functools import partial

import pytest
from made_up_state import made_up_state

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from rdskd_lab.lab.drawing.still import still, words  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return ["".join(found.itertext()) for found in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_still_has_the_answers_the_numbers_the_terms_and_the_sentences_of_its_screen():
    state = made_up_state(twin=True)
    said, live = texts(still(state)), state["live"]
    assert {"Step 302", "9.4", "86%", "79%", live["twin"]["sentence"]} <= set(said)
    for label, sure in zip(live["sheet"]["labels"], live["sheet"]["certainty"], strict=True):
        at = said.index(str(label))  # the answer, and beside it how sure
        assert f"{sure:.0%}" in said and at >= 0
    assert said.count("2") >= live["sheet"]["labels"].count(2)
    for term in state["run"]["terms"]:
        assert any(text.startswith(term["title"]) for text in said) and term["purpose"] in said
    assert "off" in said and any("F 3.8 ± 0.5; twin 3.7 ± 0.5" in text for text in said)


@pytest.mark.parametrize("step", [0, 1, 50, 302])
@pytest.mark.parametrize("terms", [("oh", "ie", "ds"), ("oh", "ie", "ds", "bn"), ("adv",)])
def test_a_still_is_whole_at_any_step_with_any_terms(step, terms):
    svg = still(json.loads(json.dumps(made_up_state(step, terms=terms))))
    drawn = ET.fromstring(svg)
    values = [value for part in drawn.iter() if part.tag != f"{SVG}image" for value in part.attrib.values()]
    assert not any("nan" in value or "None" in value for value in [*values, *texts(svg)]) and len(svg) < 120_000


def test_a_still_is_renewed_by_whatever_changes_it_without_a_step(lab, monkeypatch):
    sent = []
    monkeypatch.setattr("IPython.display.update_display", lambda bundle, **how: sent.append(bundle["text/html"]))
    lab.snapshot.id = "shown"
    lab.play(2)
    for change in (
        partial(lab.edit, "ie", "on", False),
        partial(lab.strength, 7),
        partial(lab.compare, False),
        partial(lab.act, {"do": "window", "steps": 0}),
        lab.learn,
        partial(lab.use, "dafl"),
        partial(lab.reset, 3),
    ):
        change()
    assert len(sent) == 8 == len(set(sent)) + 1  # the charts of two steps are the same with all steps
    lab.act({"do": "share"})
    lab.pause()
    assert len(sent) == 8


def test_a_still_follows_the_theme_and_draws_its_sheet_once():
    svg = still(made_up_state())
    assert "prefers-color-scheme:dark" in svg and svg.count("data:image/png;base64,") == 1
    assert svg.count('href="#sheet"') == 5  # a row of the mosaic each


def test_its_words_count_the_classes_and_name_what_is_off():
    state = made_up_state(twin=True)
    said = words(state)
    assert said.startswith("40 generated images after 302 steps; the teacher sees ")
    for k in range(10):
        n = state["live"]["sheet"]["labels"].count(k)
        assert (f"{n} of class {k}" in said) == (n > 0)
    assert "information entropy loss -2.2 (off)" in said and "student on 1,000 real digits: 79%" in said


def test_long_names_of_classes_meet_neither_a_percentage_nor_each_other():
    state = made_up_state()
    state["run"]["classes"] = "airplane automobile bird cat deer dog frog horse ship truck".split()
    found = [(t, "".join(t.itertext())) for t in ET.fromstring(still(state)).iter(f"{SVG}text")]
    below = [t for t, _ in found if float(t.get("x")) < 456]  # in the sheet of images
    heights = {kind: {t.get("y") for t in below if t.get("class") == kind} for kind in ("b s", "q s e")}
    assert not heights["b s"] & heights["q s e"]
    names = [text for t, text in found if t.get("class") in ("b s", "b s m")]
    assert {"bird", "horse"} <= set(names) and all(len(name) <= 7 for name in names) and "automo…" in names
