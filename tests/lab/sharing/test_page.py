"""A page holds what the lab showed: every number and sentence of its frames is the live lab's at that step."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")
pytestmark = pytest.mark.timeout(300)  # hundreds of steps on a busy machine


from rdskd_lab.lab.sharing import page as pages  # noqa: E402
from rdskd_lab.lab.sharing.page import LEFT_OUT, Branch, Recording, about_run, packed, rounded, transposed  # noqa: E402


def unpacked(columns: dict, i: int):
    """What page.js makes of `transposed`."""
    ((kind, held),) = columns.items()
    return held if kind == "=" else held[i] if kind == "[" else {name: unpacked(one, i) for name, one in held.items()}


@pytest.fixture
def lab(lab):
    lab.trace.stride, lab.trace.shown = 10, 40
    lab.trace.keep_moment(lab.experiment)
    return lab


@pytest.fixture
def played(lab):
    """A lab with three edits, and what it showed after every tenth step."""
    states = {0: lab.state()["live"]}

    def play(steps: int) -> None:
        goal = lab.experiment.done + steps
        while lab.experiment.done < goal:
            lab.play(min(10 - lab.experiment.done % 10, goal - lab.experiment.done))
            if lab.experiment.done % 10 == 0:
                states[lab.experiment.done] = lab.state()["live"]

    play(105)
    lab.strength(20)
    play(112)
    lab.edit("ie", "on", False)
    play(35)
    lab.edit("ie", "on", True)
    play(8)
    return lab, states


def recording(lab) -> dict:
    now, run = [pages.past_twin(lab.twin, lab.trace)] if lab.twin else [], about_run(lab.experiment)
    return packed(Recording("A run", "Words.", run, {"run": Branch(lab.trace)}, 10, 10, twins=lab.past_twins + now))


def test_every_frame_is_what_the_lab_showed_after_that_step(played):
    lab, states = played
    found = recording(lab)
    run, steps = found["branches"]["run"], sorted(states)
    assert run["steps"] == run["sheets"]["steps"] == steps and len(steps) == 27
    said = set()
    for i, step in enumerate(steps):
        shown, frame, sheet = states[step], unpacked(run["frames"], i), unpacked(run["sheets"]["rest"], i)
        its = frame["twin"].pop("of", None)
        expected = {name: value for name, value in shown.items() if name not in (*LEFT_OUT, "sheet")}
        assert frame == rounded(expected), step
        assert sheet["labels"] == shown["sheet"]["labels"] and sheet["columns"] == 8
        np.testing.assert_allclose(sheet["certainty"], shown["sheet"]["certainty"], atol=0.00500001)
        said.add((its, shown["twin"].get("sentence", "")[:20], shown["fluctuation"] is None))
    assert {its for its, *_ in said} == {None, "twin at 105", "twin at 217", "twin at 252"} and len(said) > 5


def test_the_curves_are_those_of_the_lab(played):
    lab, states = played
    course = recording(lab)["branches"]["run"]["course"]
    lab.window = 0
    charts = lab.state()["live"]["charts"]
    assert course["steps"] == charts["terms"]["oh"]["steps"]
    for name in "oh", "ie", "ds":
        assert course["terms"][name]["probe"] == rounded(charts["terms"][name]["probe"])
        assert course["terms"][name]["anchor"] == rounded(charts["terms"][name]["anchor"])
    ghost, last = recording(lab)["ghosts"]["twin at 252"]["course"], charts["terms"]["ie"]["twin"]
    mine = dict(zip(ghost["steps"], ghost["terms"]["ie"]["probe"], strict=True))
    assert [mine.get(step) for step in charts["terms"]["ie"]["steps"] if step > 252] == rounded(last[-len(mine) + 1 :])


def test_images_stay_what_they_were(played):
    lab, _ = played
    png = recording(lab)["branches"]["run"]["sheets"]["png"]
    last = max(at for at in lab.trace.moments if at % 10 == 0)
    whole = pages.mosaic(lab.trace.moments[last].look.images, 8)[..., 0]
    found = np.array(Image.open(io.BytesIO(base64.b64decode(png[-1]))).convert("L"))
    assert found.shape == whole.shape == (160, 256)
    assert np.abs(found.astype(float) - whole).mean() < 30  # of 255: they are small, not exact


def test_a_twin_without_damping_is_kept_too(lab):
    lab.play(4)
    lab.compare()
    lab.play(120)
    shown, edits = lab.state()["live"], [*lab.twin.record.edits]
    recording(lab)
    assert lab.twin.record.edits == edits  # what is written changes nothing
    lab.compare(False)
    lab.play(6)
    run = recording(lab)["branches"]["run"]
    frames, at = run["frames"], run["steps"].index(120)
    frame = unpacked(frames, at)
    assert frame["twin"]["kind"] == "without damping" and set(frame["fluctuation"]["terms"]) == {"oh", "ie"}
    assert frame["fluctuation"]["terms"]["oh"]["twin"] is not None
    assert shown["fluctuation"]["terms"].keys() == frame["fluctuation"]["terms"].keys()
    assert unpacked(frames, at + 1)["twin"] == {"on": False}  # at step 130 it had ended


def test_the_file_is_whole_names_no_address_and_closes_no_script_early(lab, tmp_path, monkeypatch):
    lab.edit("ds", "on", False)
    lab.play(20)
    lab.experiment.classes[3] = "</script><b>"
    lab.trace.classes[3] = "</script><b>"
    text = lab.save_page(tmp_path / "mine.html").read_text()
    assert text.count("</script>") == 2 and "://" not in text.replace("http://www.w3.org/2000/svg", "")
    held = text.split('id="recordings">')[1].split("</script>")[0]
    (found,) = json.loads(held)
    assert found["run"]["classes"][3] == "</script><b>" and found["every"] == 10
    assert found["words"].endswith("Changed: sample diversity off at step 0.")
    lab.play(20)
    monkeypatch.setattr(pages, "packed", lambda about: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        lab.save_page(tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == text


def test_another_run_begins_without_twins(lab):
    lab.play(3)
    lab.edit("oh", "on", False)
    lab.play(3)
    lab.edit("oh", "on", True)
    assert len(lab.past_twins) == 1
    lab.reset()
    assert lab.past_twins == []


def test_columns_come_back_as_the_rows_they_were():
    rows = [{"a": 1, "b": [1, 2], "c": {"d": None}}, {"a": 1, "b": [2], "c": {"d": 0.5}}]
    assert [unpacked(transposed(rows), i) for i in (0, 1)] == rows
    assert transposed(rows)["{"]["a"] == {"=": 1}
    odd = [{"a": 1}, {"b": 1}]
    assert [unpacked(transposed(odd), i) for i in (0, 1)] == odd
