"""Recovery: a run that collapses or loses its numbers goes back and on; one that does not is bit for bit as before."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from test_runs import Stop, break_write, essence, history, quick, rewrite
from toys import LATENT, SIZE, WIDTH, ToyStudent, ToyTeacher, copied, same

from rdskd_lab.batch import Batch
from rdskd_lab.distillation import Distillation
from rdskd_lab.methods.method import Settings
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.runs import recover
from rdskd_lab.runs.config import Config
from rdskd_lab.runs.execute import execute, prepare
from rdskd_lab.runs.recover import recovering
from rdskd_lab.runs.run_folder import Folder, read_checkpoint

SIZES = dict(generator_steps=24, batch_size=8, latent=LATENT, width=WIDTH, student_steps=12, student_batch_size=8)
TINY = Settings(**SIZES, student_schedule="cosine", pooled=True, procedural=0.5, bank=32)
METHOD = METHODS["any-teacher"]


@pytest.fixture(autouse=True)
def close_looks(monkeypatch):
    monkeypatch.setattr(recover, "EVERY", 3)
    monkeypatch.setattr(recover, "GRACE", 6)


def tiny(**settings):
    settings = replace(TINY, **settings)
    return Distillation(ToyTeacher(), ToyStudent(), METHOD.terms(), settings, method=METHOD, size=SIZE)


def collapse(run, at: int, times: int = 1) -> list[int]:
    """Let the teacher see one class in all that the generator makes from its step `at` on, for `times` tries."""
    met, synthesise = [], run.synthesise

    def broken():
        tried = len(met)
        for step in synthesise():
            if step.i >= at and tried < times:
                met.extend([step.i] if len(met) == tried else [])
                step = replace(step, batch=replace(step.batch, logits=torch.eye(5)[[0] * 8]))
            yield step

    run.synthesise = broken
    return met


def test_without_trouble_nothing_is_different():
    watched, plain = tiny(), tiny()
    rows = [step.row() for step in recovering(watched)]
    assert rows == [step.row() for step in plain]
    assert same(copied(watched.student), copied(plain.student)) and watched.recovered == []


@pytest.mark.parametrize("classes", [10, 200])
def test_classes_that_come_evenly_are_no_collapse_however_many_there_are(classes, monkeypatch):
    monkeypatch.setattr(recover.Watch, "keep", lambda self, run: None)
    watch, labels = recover.Watch(), torch.arange(64)
    for i in range(60):
        batch = Batch(torch.empty(0), logits=torch.eye(classes)[(labels + 64 * i) % classes])
        step = SimpleNamespace(phase="synthesise", i=i, batch=batch)
        assert not watch.look(SimpleNamespace(classes=classes), step)


def test_a_collapse_is_noticed_undone_and_tried_again_more_slowly():
    run = tiny()
    collapse(run, at=12)
    told = []
    seen = [(step.phase, step.i) for step in recovering(run, undone=told.append)]
    assert len(run.recovered) == 1 and told == run.recovered
    met = run.recovered[0]
    assert met.phase == "synthesise" and 12 < met.step <= 18 and met.back_to <= 12
    assert "1 of 5 classes" in met.trouble and "learning rate" in met.remedy
    assert run.settings.lr == TINY.lr / 4 == run.source_optimizer.param_groups[0]["lr"]
    again = [i for phase, i in seen if phase == "synthesise"]
    cut = again.index(met.back_to, met.back_to + 1)  # it went on from there ...
    assert again[cut:] == list(range(met.back_to, 24))  # ... to the end
    assert run.done == {"synthesise": 24, "distill": 12} and run.pool.filled == 24 * 8


def test_what_was_undone_leaves_no_trace_in_generator_pool_and_random_numbers():
    """At the same learning rate it would have been the run without a collapse."""
    broken, plain = tiny(), tiny()
    collapse(broken, at=12)

    def as_before(recovery):
        broken.source_optimizer.param_groups[0]["lr"] = TINY.lr

    for run in broken, plain:
        list(recovering(run, lambda run=run: run.synthesise(), as_before))
    assert len(broken.recovered) == 1
    assert same(copied(broken.source), copied(plain.source)) and torch.equal(broken.pool.images, plain.pool.images)


def test_after_the_last_remedy_the_generator_is_left_and_the_student_trains():
    run = tiny()
    collapse(run, at=6, times=3)
    list(recovering(run))
    assert [r.remedy for r in run.recovered] == [words for words, _ in recover.REMEDIES["synthesise"]]
    assert [r.back_to for r in run.recovered] == [6, 3, 6]  # 6 did not help, until it was reached again from 3
    assert run.done["distill"] == 12 and run.objective["ie"].weight == 3 and not run.objective["ie"].damped
    assert run.pool.filled <= 12 * 8  # nothing of the collapse


def test_when_no_remedy_is_left_it_says_all_that_happened():
    run = tiny()
    learn = run.distill

    def broken():
        for step in learn():
            raise FloatingPointError(f"distill step {step.i}: the value of term 'kd' is nan. Nothing was updated; x")

    run.distill = broken
    with pytest.raises(FloatingPointError, match="kd.*2 remedies.*quarter.*sixteenth"):
        list(recovering(run))


def test_a_loss_that_is_not_finite_is_undone_too():
    run, teacher = tiny(), ToyTeacher()
    calls = []

    def forward(x):
        calls.append(len(x))
        out = teacher(x)
        return out * float("nan") if len(calls) == 20 else out

    run.teacher.forward = forward
    list(recovering(run))
    assert len(run.recovered) == 1 and "nan" in run.recovered[0].trouble and run.recovered[0].phase == "synthesise"
    assert run.done == {"synthesise": 24, "distill": 12}
    assert all(p.isfinite().all() for p in run.source.parameters())


def test_a_student_that_answers_one_class_is_noticed():
    run = tiny()
    learn, tries = run.distill, []

    def flat():
        tries.append(1)
        for step in learn():
            one = torch.eye(5)[[2] * 8]
            yield replace(step, batch=replace(step.batch, student=one)) if len(tries) == 1 else step

    run.distill = flat
    list(recovering(run))
    assert "same answer" in run.recovered[0].trouble and run.recovered[0].phase == "distill"
    assert run.settings.student_lr == TINY.student_lr / 4 and run.done["distill"] == 12


FACTS = {"data": "digits"}
SMALL = dict(generator_steps=12, batch_size=8, width=4, student_steps=6, student_batch_size=8, bank=64)
SMALL |= dict(procedural=0, balance=0, augment=0)  # which take time
CONFIG = Config(method="any-teacher", change=tuple((k, str(v)) for k, v in SMALL.items()))


def test_a_run_on_disk_forgets_what_was_undone_and_goes_the_same_way_wherever_it_is_cut(tmp_path, monkeypatch, capsys):
    quick(monkeypatch.setattr, save_every=99.0)
    synthesise, undo = Distillation.synthesise, Folder.undo

    def broken(self, endless=False):
        for step in synthesise(self, endless):
            seen = [0] * 8 if step.i >= 6 and len(self.recovered) < 2 else range(8)  # classes
            yield replace(step, batch=Batch(step.batch.images, logits=torch.eye(10)[seen]))

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Distillation, "synthesise", broken)
    monkeypatch.setattr(recover, "GRACE", 12)
    result = execute(CONFIG, tmp_path / "run")
    assert len(result["recovered"]) == 2 and "1 of 10 classes; undone to step 6," in result["recovered"][0]
    assert "undone to step 3," in result["recovered"][1] and "undone to step 3," in capsys.readouterr().err
    steps = [(row["phase"], int(row["step"])) for row in history(tmp_path / "run")]
    assert steps == [("synthesise", i) for i in range(12)] + [("distill", i) for i in range(6)]
    assert sum(result["class_histogram"]) == 12 * 8
    quick(monkeypatch.setattr)
    for write, stop in [(0, stop) for stop in (7, 8, 24)] + [(write, 99) for write in (1, 2, 3)]:
        place = tmp_path / f"{write}-{stop}"
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            cut = partial(break_write, write, dies, patched.setattr)
            patched.setattr(Folder, "undo", lambda *given, cut=cut: (cut(), undo(*given)))
            execute(CONFIG, place, stop=Stop(stop))
        assert read_checkpoint(place / "checkpoint.pt")["state"]["done"]["synthesise"] >= 3  # no more than this is lost
        if stop == 24:
            rewrite(place / "checkpoint.pt", lambda checkpoint: checkpoint.pop("watch"))  # which older ones lack
        assert execute(CONFIG, place, resume=True)["recovered"] == result["recovered"]
        assert essence(place) == essence(tmp_path / "run")


TRIED = [(phase, words, 64) for phase, remedies in recover.REMEDIES.items() for words, _ in remedies]


@pytest.mark.parametrize(("phase", "words", "filled"), [*TRIED, ("synthesise", TRIED[2][1], 7)])
def test_a_checkpoint_keeps_what_a_remedy_set(phase, words, filled, tmp_path):
    run = prepare(CONFIG).run
    run.pool.filled = filled
    recover.apply(run, recover.Recovery(phase, 9, "x", 6, words))
    folder = Folder(tmp_path, run, FACTS)
    folder.start()
    folder.save()
    fresh = prepare(CONFIG).run
    Folder(tmp_path, fresh, FACTS).restore()
    assert fresh.settings == run.settings and fresh.recovered == run.recovered
    for part in "terms", "done", "filled":
        assert fresh.state()[part] == run.state()[part]
    for part in "source_optimizer", "student_optimizer":
        assert getattr(fresh, part).param_groups[0]["lr"] == getattr(run, part).param_groups[0]["lr"]


def test_only_a_method_that_says_so_recovers():
    assert [name for name, method in METHODS.items() if method.recovers] == ["any-teacher"]
