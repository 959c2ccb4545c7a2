"""Recovery: a run that collapses or loses its numbers goes back and on; one that does not is bit for bit as before."""

from dataclasses import replace

import pytest
import torch
from toys import LATENT, SIZE, WIDTH, ToyStudent, ToyTeacher, copied, same

from rdskd_lab.batch import Batch
from rdskd_lab.distillation import Distillation
from rdskd_lab.methods.method import Settings
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.runs import recover
from rdskd_lab.runs.config import Config
from rdskd_lab.runs.execute import execute, prepare
from rdskd_lab.runs.recover import Unrecovered, recovering
from rdskd_lab.runs.run_folder import Folder, read_json

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


def test_a_collapse_is_noticed_undone_and_tried_again_more_slowly():
    run = tiny()
    collapse(run, at=12)
    told, seen = [], []
    for step in recovering(run, undone=told.append):
        seen.append((step.phase, step.i))
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
        for _ in recovering(run, lambda run=run: run.synthesise(), as_before):
            pass
    assert len(broken.recovered) == 1
    assert same(copied(broken.source), copied(plain.source)) and torch.equal(broken.pool.images, plain.pool.images)


def test_after_the_last_remedy_the_generator_is_left_and_the_student_trains():
    run = tiny()
    collapse(run, at=6, times=3)
    for _ in recovering(run):
        pass
    assert [r.remedy for r in run.recovered] == [words for words, _ in recover.REMEDIES["synthesise"]]
    assert run.done["distill"] == 12 and run.objective["ie"].weight == 3 and not run.objective["ie"].damped
    assert run.pool.filled <= 12 * 8  # nothing of the collapse


def test_when_no_remedy_is_left_it_says_all_that_happened():
    run = tiny()
    learn = run.distill

    def broken():
        for step in learn():
            raise FloatingPointError(f"distill step {step.i}: the value of term 'kd' is nan. Nothing was updated; x")

    run.distill = broken
    with pytest.raises(Unrecovered, match="kd.*2 remedies.*quarter.*sixteenth"):
        for _ in recovering(run):
            pass


def test_a_loss_that_is_not_finite_is_undone_too():
    run, teacher = tiny(), ToyTeacher()
    calls = []

    def forward(x):
        calls.append(len(x))
        out = teacher(x)
        return out * float("nan") if len(calls) == 20 else out

    run.teacher.forward = forward
    for _ in recovering(run):
        pass
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
    for _ in recovering(run):
        pass
    assert "same answer" in run.recovered[0].trouble and run.recovered[0].phase == "distill"
    assert run.settings.student_lr == TINY.student_lr / 4 and run.done["distill"] == 12


FACTS = {"data": "digits"}
SMALL = dict(generator_steps=12, batch_size=8, width=4, student_steps=6, student_batch_size=8, bank=64)
CONFIG = Config(method="any-teacher", change=tuple((k, str(v)) for k, v in SMALL.items()))


def test_a_run_on_disk_forgets_what_was_undone_and_reports_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recover, "GRACE", 4)
    show = Distillation.synthesise

    def broken(self, endless=False):
        for step in show(self, endless):
            if step.i >= 6 and not self.recovered:
                step = replace(step, batch=Batch(step.batch.images, logits=torch.eye(10)[[0] * 8]))
            yield step

    monkeypatch.setattr(Distillation, "synthesise", broken)
    monkeypatch.setattr(recover, "RARE", 1e-9)
    monkeypatch.setattr(recover._Watch, "_labels", lambda self, step: _all_or_one(step))
    result = execute(CONFIG, tmp_path / "run")
    assert len(result["recovered"]) == 1 and "1 of 10 classes" in result["recovered"][0]
    assert "undone to step" in capsys.readouterr().err
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()[1:]
    steps = [tuple(row.split(",")[:2]) for row in rows]
    assert steps == [("synthesise", str(i)) for i in range(12)] + [("distill", str(i)) for i in range(6)]
    assert sum(read_json(tmp_path / "run" / "result.json")["class_histogram"]) == 12 * 8


def _all_or_one(step):
    one = step.batch.logits is not None and step.phase == "synthesise" and bool((step.batch.logits[:, 0] == 1).all())
    return torch.zeros(8, dtype=torch.long) if one else torch.arange(10)


def test_a_checkpoint_keeps_what_a_remedy_set(tmp_path):
    run = prepare(CONFIG).run
    recover.apply(run, recover.Recovery("synthesise", 9, "x", 6, recover.REMEDIES["synthesise"][0][0]))
    place = tmp_path / "run"
    place.mkdir()
    folder = Folder(place, run, FACTS)
    folder.start()
    folder.pictures.append(run.picture())
    folder.save()
    fresh = prepare(CONFIG).run
    Folder(place, fresh, FACTS).restore()
    assert fresh.settings.lr == run.settings.lr == 1.6e-2 / 4 == fresh.source_optimizer.param_groups[0]["lr"]
    assert fresh.recovered == run.recovered


def test_only_a_method_that_says_so_recovers():
    assert [name for name, method in METHODS.items() if method.recovers] == ["any-teacher"]
