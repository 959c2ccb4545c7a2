"""A recorded run without a page: what a trace keeps, that a run goes on from it bit for bit, what it refuses."""

import json
import os
import random
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from toys import copied, same  # noqa: F401

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from recorded import SMALL, mutated, recorded, trace_edit  # noqa: E402

from rdskd_lab.lab import Lab, Replay  # noqa: E402
from rdskd_lab.lab.session import trace, tracefile  # noqa: E402
from rdskd_lab.lab.session.experiment import PLAYABLE, Experiment  # noqa: E402
from rdskd_lab.lab.session.trace import RecordedStep, TraceError, begin, retrain  # noqa: E402
from rdskd_lab.lab.session.tracefile import open_trace, save  # noqa: E402
from rdskd_lab.lab.widgets.museum import SHIPPED  # noqa: E402
from rdskd_lab.objective import Objective, Term  # noqa: E402

CASES = int(os.environ.get("RDSKD_FUZZ", 1_000))  # damaged files; 10,000 before a release


def assert_goes_on(kept, experiment, start: int) -> None:
    """From `start` on, the run again has the same steps and ends in the same generator and student, bit for bit."""
    pairs = list(retrain(kept, len(kept), start=start))
    for name in kept.record.names:
        assert [step.raw[name] for _, step in pairs] == kept.record.columns[name][start:].tolist(), name
        assert [step.gain[name] for _, step in pairs] == kept.record.columns[f"{name}_gain"][start:].tolist(), name
    again = pairs[-1][0] if pairs else kept.resume(start)
    assert again.done == experiment.done
    assert same(copied(again.run.generator), copied(experiment.run.generator))
    assert same(copied(again.run.student), copied(experiment.run.student))


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A trace of 45 steps with 12 edits, and the file it was saved to."""
    kept, _ = recorded(45, 12, freeze=20)
    return kept, save(kept, tmp_path_factory.mktemp("trace") / "short.npz")


# ---- going back and on -----------------------------------------------------------------------------------------------


def test_a_thousand_random_edits_are_replayed_from_the_file_bit_for_bit(tmp_path):
    kept, experiment = recorded(400, 1000)
    assert_goes_on(open_trace(save(kept, tmp_path / "run.npz")), experiment, 0)


@pytest.mark.parametrize("method", ["rdskd", "dfad"])
def test_a_run_goes_on_from_ten_random_checkpoints_bit_for_bit(tmp_path, monkeypatch, method):
    monkeypatch.setattr(trace, "CHECKPOINTS", 100)
    kept, experiment = recorded(100, 60, method=method, freeze=1)
    before = open_trace(save(kept, tmp_path / "run.npz"))
    for start in random.Random(1).sample(sorted(before.checkpoints), 10):
        assert_goes_on(before, experiment, start)


def test_a_lab_records_what_it_plays():
    lab = Lab(mode="inline", settings=SMALL, learn=False)
    lab.play(25)
    lab.learn()
    lab.play(20)
    lab.trace.freeze = 5
    lab.edit("ie", "on", False)
    lab.play(5)
    assert sorted(lab.trace.moments) == [0, 20, 40] and sorted(lab.trace.checkpoints) == [50]
    assert [str(edit) for edit in lab.record.edits] == ["student learns", "ie off"]
    assert_goes_on(lab.trace, lab.experiment, 0)
    lab.reset()
    assert len(lab.trace) == 0 and sorted(lab.trace.moments) == [0]
    lab.close()


def test_a_step_that_the_guard_refuses_leaves_no_trace():
    kept, experiment = recorded(5)
    experiment.objective["oh"].anchor = -200.0
    with pytest.raises(FloatingPointError):
        next(experiment.steps())
    experiment.objective["oh"].anchor = kept.record.anchors["oh"]
    for step in islice(experiment.steps(), 5):
        kept.record.add(step, experiment.objective)
    assert_goes_on(kept, experiment, 0)


def test_a_trace_cut_at_a_checkpoint_goes_on_as_a_record(short):
    kept, _ = short
    cut = kept.until(20, kept.resume(20))
    assert (len(cut), sorted(cut.moments), sorted(cut.checkpoints)) == (20, [0, 20], [20])
    assert all(edit.step <= 20 for edit in cut.record.edits)


def test_a_recorded_step_shows_a_moment_without_training(short, monkeypatch):
    kept, _ = short
    monkeypatch.setattr(Experiment, "__init__", None)
    shown = RecordedStep(kept, 33)
    assert (shown.done, shown.look().step, len(shown.record)) == (33, 20, 33)
    assert shown.record.probe["step"].tolist() == [*range(0, 33, 2)]
    assert shown.record.probe == kept.record.until(33, shown.objective).probe
    assert len(shown.look().images) == trace.SHOWN and shown.shares().sum() == pytest.approx(1)
    assert RecordedStep(kept, 0).done == 0


# ---- a trace brings its own terms ------------------------------------------------------------------------------------


def change_terms(monkeypatch, method: str, how: str) -> None:
    """What a later version may do to a method."""
    ours = PLAYABLE[method]

    def terms():
        table = Objective({("sure" if how == "renamed" else name): term for name, term in ours.terms().items()})
        return table | {"new": Term(lambda batch: batch.images.mean())} if how == "added" else table

    if how == "gone":
        monkeypatch.setattr(trace, "PLAYABLE", {})
    else:
        monkeypatch.setitem(PLAYABLE, method, replace(ours, terms=lambda: Objective(terms())))


@pytest.mark.parametrize("how", ["added", "renamed", "gone"])
def test_traces_open_whatever_becomes_of_their_terms_and_going_on_is_refused_in_a_sentence(short, how, monkeypatch):
    kept, path = short
    for method in list(PLAYABLE):
        change_terms(monkeypatch, method, how)
    found = open_trace(path)
    assert found.record.columns == kept.record.columns
    for its, mine in zip(found.terms.values(), kept.terms.values(), strict=True):
        for field in "words", "weight", "on", "damped", "rule":
            assert getattr(its, field) == getattr(mine, field)
    for file in path, *SHIPPED.glob("*.npz"):  # these are of format 1, which names no term
        replay = Replay(file, mode="inline")
        replay.go(len(replay.trace))
        assert replay.step == len(replay.trace) > 0
        shown = {term["key"]: term for term in replay.screen.run["terms"]}
        for name, term in replay.trace.terms.items():
            assert shown[name]["name"] == term.words.name and "not described" not in shown[name]["purpose"]
        replay.go_on()
        assert replay.lab is None and "only looked at" in replay.screen.live["reason"]
        replay.close()


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_setting_that_is_gone_hinders_going_on_only_where_it_was_not_0(short, value, tmp_path):
    arrays, old = dict(np.load(short[1])), tmp_path / "old.npz"
    facts = json.loads(arrays["facts"].tobytes())
    facts["settings"]["contrast"] = value
    np.savez(old, **{**arrays, "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)})
    with pytest.raises(TraceError, match="contrast") if value else nullcontext():
        open_trace(old).resume(0)


def test_a_file_brings_the_words_of_a_term_that_the_package_does_not_know(short, tmp_path):
    words = {"name": "loudness", "formula": "‖x‖<sub>2</sub>", "unit": "decibel", "range": "any", "purpose": "Hush."}
    arrays = dict(np.load(short[1]))

    def written(**change):
        facts = json.loads(arrays["facts"].tobytes())
        facts["terms"] = {"loud" if name == "ds" else name: term for name, term in facts["terms"].items()}
        facts["terms"]["loud"]["words"] = words | change
        facts["edits"] = [edit for edit in facts["edits"] if edit["term"] != "ds"]
        facts |= {"method": "louder", "settings": facts["settings"] | {"volume": 11}}
        np.savez(tmp_path / "loud.npz", **{**arrays, "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)})
        return tmp_path / "loud.npz"

    replay = Replay(written(), mode="inline")
    replay.go(45)
    shown = next(term for term in replay.screen.run["terms"] if term["key"] == "loud")
    assert (shown["name"], shown["unit"]) == ("loudness", "decibel")
    assert "loudness" in replay.snapshot.html() and "loudness" in replay.liveness.sentence
    replay.close()
    with pytest.raises(TraceError, match="a term's formula"):  # which may be shown as HTML
        open_trace(written(formula="<script>"))


def test_a_file_of_format_2_which_has_no_strengths_opens_and_goes_on_bit_for_bit(tmp_path):
    rng, experiment = random.Random(5), Experiment(settings=SMALL)
    kept = begin(experiment)
    kept.freeze, run = 10, experiment.steps()
    for i in range(25):
        edit = trace_edit(rng, i, list(experiment.objective))
        if edit.field != "strength":
            experiment.change(edit)
            kept.record.edits.append(edit)
        kept.record.add(next(run), experiment.objective)
        kept.note(experiment)
    arrays = dict(np.load(save(kept, tmp_path / "new.npz")))
    facts = json.loads(arrays["facts"].tobytes()) | {"format": 2}
    facts["terms"] = {name: {k: v for k, v in t.items() if k != "strength"} for name, t in facts["terms"].items()}
    del facts["start"], arrays["probe"], arrays["seen"]
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    arrays["columns"] = arrays["columns"][[k for k in range(19) if k == 0 or k % 6]]
    arrays |= {name: array[:, :5] for name, array in arrays.items() if name.endswith("/terms")}
    np.savez(tmp_path / "old.npz", **arrays)
    old = open_trace(tmp_path / "old.npz")
    assert old.record.columns == kept.record.columns
    assert_goes_on(old, experiment, 0)
    assert_goes_on(old, experiment, 20)
    assert RecordedStep(old, 25).record.probe["step"].tolist() == [0, 20]  # of its moments


# ---- size ------------------------------------------------------------------------------------------------------------


def test_thinning_leaves_few_and_evenly_spread(monkeypatch):
    monkeypatch.setattr(trace, "MOMENTS", 6)
    monkeypatch.setattr(trace, "CHECKPOINTS", 4)
    kept, _ = recorded(240, freeze=10)
    assert sorted(kept.moments) == [0, 80, 160, 240] and sorted(kept.checkpoints) == [80, 160, 240]
    kept.checkpoints[240]["terms"] = np.zeros(10**7)
    kept.note(kept.resume(160))
    assert kept._size() <= trace.LARGEST


@pytest.mark.slow
def test_a_thousand_steps_of_the_classroom_fit_in_two_megabytes(tmp_path):
    lab = Lab("rdskd+bn", mode="inline", learn=False)
    lab.play(1000)
    assert len(lab.trace) == 1000
    assert save(lab.trace, tmp_path / "run.npz", checkpoints=False).stat().st_size <= 2e6
    lab.close()


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_a_later_format_no_file_and_a_stepless_place_are_refused_in_a_sentence(short, tmp_path, monkeypatch):
    kept, _ = short
    monkeypatch.setattr(tracefile, "FORMAT", 4)
    path = save(kept, tmp_path / "later.npz")
    monkeypatch.undo()
    with pytest.raises(TraceError, match="update rdskd-lab"):
        open_trace(path)
    with pytest.raises(TraceError, match="there is no file"):
        open_trace(tmp_path / "none.npz")
    with pytest.raises(TraceError, match="the last before it is 20"):
        kept.resume(33)


def test_a_pickle_is_not_opened(short, tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit('executed')",))

    arrays = dict(np.load(short[1]))
    images = {"moment/images": arrays["moment/images"][..., :0, :0]}  # nor are images without a pixel
    for odd, says in ({"columns": np.array([Trap()], object)}, "not a whole trace"), (images, "its images"):
        np.savez(tmp_path / "trap.npz", **arrays | odd)
        with pytest.raises(TraceError, match=says):
            open_trace(tmp_path / "trap.npz")


def test_a_teacher_of_ones_own_has_to_be_given_again():
    kept = begin(Experiment(settings=SMALL), own_teacher=True)
    with pytest.raises(TraceError, match="teacher of your own"):
        kept.resume(0)


def assert_opens_or_says_why(content: bytes, path) -> None:
    """A file opens, and then shows every step and goes on, or a sentence says why not; nothing else is raised."""
    path.write_bytes(content)
    try:
        with np.errstate(all="ignore"):
            found = open_trace(path)
            for step in (0, len(found) // 2, len(found)):
                RecordedStep(found, step)
            found.resume(max(found.checkpoints, default=0))
    except TraceError as error:
        assert 20 < len(str(error)) < 600 and "\n" not in str(error)


@pytest.mark.timeout(max(120, CASES))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_mutated_traces_open_or_are_refused_in_a_sentence(short, tmp_path):
    content, rng = short[1].read_bytes(), random.Random(0)
    for _ in range(CASES):
        assert_opens_or_says_why(mutated(content, rng), tmp_path / "mutated.npz")


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("facts.npy", b"\0" * 310_000_000)
    with pytest.raises(TraceError, match="unpacks to 310 MB"):
        open_trace(tmp_path / "bomb.npz")
