"""A method with a memory: a bank of answers that its term sees, which is saved, copied, forked and replayed."""

import sys
from functools import partial
from itertools import islice

import pytest
import torch
from toys import LATENT, SIZE, WIDTH, ToyStudent, ToyTeacher, copied, cut_and_resumed, record, same, through_a_file

import rdskd_lab.methods
from rdskd_lab.distillation import Distillation
from rdskd_lab.methods import registry
from rdskd_lab.methods.method import Settings

FILE = '''
"""A toy: RDSKD's terms, and answers that are unlike those of the last batches."""
import torch
from torch import nn
from ..objective import Objective, Term, Words
from . import building_blocks as blocks
from .method import Method, Settings
from .rdskd import PRESETS, rdskd

def unlike(logits, bank):
    return -(logits.mean(0) - bank.mean(0)).square().mean()

class Bank(nn.Module):
    def __init__(self, run):
        super().__init__()
        self.register_buffer("rows", torch.zeros(7, run.classes, device=run.device))

    def add(self, logits):
        self.rows.copy_(torch.cat([logits[:3], self.rows])[:7])

def filling(steps, run):
    for step in steps:
        run.memory.add(step.batch.logits)
        yield step

WORDS = Words("unlike the bank", "-|m - b|", "logits", "0 downwards", "A batch should differ from those before.")

def banked():
    return Objective(**rdskd(), far=Term(lambda b: unlike(b.logits, b.memory.rows), words=WORDS))

METHODS = {"banked": Method(banked, PRESETS, memory=Bank, adapters=(blocks.pooling, filling))}
'''
TINY = Settings(generator_steps=6, batch_size=6, latent=LATENT, width=WIDTH, student_steps=3, student_batch_size=4)


@pytest.fixture
def banked(tmp_path, monkeypatch):
    """The method of one new file in the folder of the methods, found without another line."""
    (tmp_path / "banked.py").write_text(FILE)
    monkeypatch.setattr(rdskd_lab.methods, "__path__", [*rdskd_lab.methods.__path__, str(tmp_path)])
    found = registry._found()
    yield found["banked"]
    sys.modules.pop("rdskd_lab.methods.banked", None)


def run(method, student=None):
    return Distillation(ToyTeacher(), student or ToyStudent(), method.terms(), TINY, method=method, size=SIZE)


def test_a_new_file_is_found_behind_the_methods_and_before_the_controls(banked):
    names = list(registry._found())
    assert [n for n in names if n != "banked"] == list(registry.METHODS)
    assert names.index("dfad") < names.index("banked") < names.index("noise")


def test_a_name_that_two_files_give_is_refused(tmp_path, monkeypatch):
    (tmp_path / "other.py").write_text("METHODS = {'dafl': None}")
    monkeypatch.setattr(rdskd_lab.methods, "__path__", [*rdskd_lab.methods.__path__, str(tmp_path)])
    with pytest.raises(ValueError, match="other.*'dafl'"):
        registry._found()


def test_the_term_sees_the_bank_and_a_run_can_be_cut_anywhere(banked):
    whole = run(banked)
    want = record(whole)
    assert want[0][2]["far"] != want[1][2]["far"] and whole.memory.rows.any(1).all()
    for cut in range(len(want) + 1):
        said, second = cut_and_resumed(partial(run, banked), cut)
        assert said == want, cut
        assert same(copied(whole.memory), copied(second.memory))


def test_a_copy_goes_on_alike_and_shares_nothing_that_moves(banked):
    first = run(banked)
    list(islice(first, 3))
    twin, before = first.copy(), through_a_file(first.state())
    ahead = record(twin)
    assert same(before["memory"], first.state()["memory"]) and same(before["generator"], first.state()["generator"])
    assert record(first) == ahead


def test_a_run_without_a_memory_saves_none():
    first = run(registry.METHODS["rdskd"])
    assert "memory" not in first.state() and next(iter(first)).batch.memory is None


def test_the_lab_rehearses_forks_and_replays_it(banked, monkeypatch, tmp_path):
    pytest.importorskip("ipywidgets")
    from rdskd_lab.lab.session.experiment import PLAYABLE, Experiment
    from rdskd_lab.lab.session.trace import begin
    from rdskd_lab.lab.session.tracefile import open_trace, save
    from rdskd_lab.lab.widgets.fork import copy_run
    from rdskd_lab.lab.widgets.step_inspector import Rehearsal

    monkeypatch.setitem(PLAYABLE, "banked", banked)
    settings = Settings(batch_size=8, width=4, latent=16, lr=1e-2, student_batch_size=8)
    made = Experiment("banked", settings=settings)
    trace = begin(made)
    trace.freeze = 2
    steps = made.steps()
    for step in islice(steps, 4):
        trace.record.add(step, made.objective)
        trace.note(made)
    kept = copied(made.run.memory)
    assert kept["rows"].any() and same(kept, copied(copy_run(made, trace)[0].run.memory))
    revived = open_trace(save(trace, tmp_path / "banked.npz")).resume(4)
    rehearsed = Rehearsal(made).step.raw
    assert same(kept, copied(made.run.memory))
    other = next(revived.steps()).raw
    assert next(steps).raw == rehearsed == other
    assert torch.equal(revived.run.memory.rows, made.run.memory.rows)
