"""The flight recorder without a page: what a trace keeps, that a run goes on from it bit for bit, what it refuses."""

import random
import zipfile
from itertools import islice

import numpy as np
import pytest
from toys import copied, same  # noqa: F401

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from recorded import SMALL, mutated, recorded  # noqa: E402

from rdskd_lab.lab import Lab  # noqa: E402
from rdskd_lab.lab.session import trace, tracefile  # noqa: E402
from rdskd_lab.lab.session.experiment import Experiment  # noqa: E402
from rdskd_lab.lab.session.trace import Scene, TraceError, begin, retrain  # noqa: E402
from rdskd_lab.lab.session.tracefile import open_trace, save  # noqa: E402


def assert_goes_on(kept, experiment, start: int) -> None:
    """From `start` on, the run again has the same steps and ends in the same generator and student, bit for bit."""
    pairs = list(retrain(kept, len(kept), start=start))
    for name in kept.record.names:
        assert [step.raw[name] for _, step in pairs] == kept.record.columns[name][start:].tolist(), name
        assert [step.gain[name] for _, step in pairs] == kept.record.columns[f"{name}_gain"][start:].tolist(), name
    again = pairs[-1][0] if pairs else kept.revive(start)
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
    lab = Lab(mode="inline", settings=SMALL)
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
    experiment.objective["oh"].anchor = kept.record._anchors["oh"]
    for step in islice(experiment.steps(), 5):
        kept.record.add(step, experiment.objective)
    assert_goes_on(kept, experiment, 0)


def test_a_trace_cut_at_a_checkpoint_goes_on_as_a_record(short):
    kept, _ = short
    cut = kept.until(20, kept.revive(20))
    assert (len(cut), sorted(cut.moments), sorted(cut.checkpoints)) == (20, [0, 20], [20])
    assert all(edit.step <= 20 for edit in cut.record.edits)


def test_a_scene_shows_a_moment_without_training(short, monkeypatch):
    kept, _ = short
    monkeypatch.setattr(Experiment, "__init__", None)
    scene = Scene(kept, 33)
    assert (scene.done, scene.look().step, len(scene.record), scene.record.probe["step"]) == (33, 20, 33, [0, 20])
    assert len(scene.look().images) == trace.SHOWN and scene.shares().sum() == pytest.approx(1)
    assert Scene(kept, 0).done == 0


# ---- size ------------------------------------------------------------------------------------------------------------


def test_thinning_leaves_few_and_evenly_spread(monkeypatch):
    monkeypatch.setattr(trace, "MOMENTS", 6)
    monkeypatch.setattr(trace, "CHECKPOINTS", 4)
    kept, _ = recorded(240, freeze=10)
    assert sorted(kept.moments) == [0, 80, 160, 240] and sorted(kept.checkpoints) == [80, 160, 240]
    kept.checkpoints[240]["terms"] = np.zeros(10**7)
    kept.note(kept.revive(160))
    assert kept._weight() <= trace.HEAVIEST


@pytest.mark.slow
def test_a_thousand_steps_of_the_classroom_fit_in_two_megabytes(tmp_path):
    lab = Lab("rdskd+bn", mode="inline")
    lab.play(1000)
    assert len(lab.trace) == 1000
    assert save(lab.trace, tmp_path / "run.npz", checkpoints=False).stat().st_size <= 2e6
    lab.close()


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_a_later_format_no_file_and_a_stepless_place_are_refused_in_a_sentence(short, tmp_path, monkeypatch):
    kept, _ = short
    monkeypatch.setattr(tracefile, "FORMAT", 2)
    path = save(kept, tmp_path / "later.npz")
    monkeypatch.undo()
    with pytest.raises(TraceError, match="update rdskd-lab"):
        open_trace(path)
    with pytest.raises(TraceError, match="there is no file"):
        open_trace(tmp_path / "none.npz")
    with pytest.raises(TraceError, match="the last before it is 20"):
        kept.revive(33)


def test_a_pickle_is_not_opened(short, tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit('executed')",))

    arrays = dict(np.load(short[1]))
    np.savez(tmp_path / "trap.npz", **{**arrays, "columns": np.array([Trap()], dtype=object)})
    with pytest.raises(TraceError, match="not a whole trace"):
        open_trace(tmp_path / "trap.npz")


def test_a_teacher_of_ones_own_has_to_be_given_again():
    kept = begin(Experiment(settings=SMALL), own_teacher=True)
    with pytest.raises(TraceError, match="teacher of your own"):
        kept.revive(0)


def assert_opens_or_says_why(content: bytes, path) -> None:
    """A file opens, and then shows every scene and goes on, or a sentence says why not; nothing else is raised."""
    path.write_bytes(content)
    try:
        with np.errstate(all="ignore"):
            found = open_trace(path)
            for step in (0, len(found) // 2, len(found)):
                Scene(found, step)
            found.revive(max(found.checkpoints, default=0))
    except TraceError as error:
        assert 20 < len(str(error)) < 600 and "\n" not in str(error)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("cases", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutated_traces_open_or_are_refused_in_a_sentence(short, tmp_path, cases):
    content, rng = short[1].read_bytes(), random.Random(0)
    for _ in range(cases):
        assert_opens_or_says_why(mutated(content, rng), tmp_path / "mutated.npz")


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("facts.npy", b"\0" * 310_000_000)
    with pytest.raises(TraceError, match="unpacks to 310 MB"):
        open_trace(tmp_path / "bomb.npz")
