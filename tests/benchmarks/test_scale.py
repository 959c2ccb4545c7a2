"""The plan for scale: what it computes from tables, and what it says must be reduced over ranks."""

import csv

import pytest
import scale
import torch
from toys import records

from rdskd_lab import losses
from rdskd_lab.runs.compare import read_table

FOUND = ("rdskd", 10.0, 200.0), ("rdskd", 14.0, 200.0), ("zskd", 30.0, 1000.0), ("zskd", 1.0, 1000.0)
ROWS = [
    r | {"outcome": "finished", "student_steps": 1000.0, "machine": "A, 1 threads"}
    for r in records("method seconds generator_steps", *FOUND)
]
ROWS[-1]["outcome"] = "oh is nan"
BENCH = records(
    "group what value unit",
    ("generator iteration, paper-mnist", "ours", "1000", "ms"),
    ("student iteration, paper-mnist", "ours, fresh", "500", "ms"),
    ("student iteration, paper-mnist", "ours, pooled", "1", "ms"),
    ("generator iteration, paper-mnist", "ours", "9", "GFLOP"),
)
PACES = {"paper-mnist generator": (100, 400), "paper-mnist student": (200, 300), "classroom generator": (100, 500)}
GPU = [
    (what, n, str(v), "steps a second, all together", "G")
    for what, both in PACES.items()
    for n, v in zip("18", both, strict=True)
]
GPU = records("what processes value unit machine", *GPU)


def test_a_run_costs_what_the_finished_ones_took():
    assert scale.cost_per_run(ROWS) == [("rdskd", 2, 12, pytest.approx(8**0.5), 14), ("zskd", 1, 30, 0, 30)]
    text = "\n".join(scale.costs({"robustness": ROWS}))
    assert "4 runs of 200 to 1,000 generator and 1,000 student steps, 0.92 min of training" in text
    assert "| rdskd | 2 | 12.0 | 2.8 | 14.0 |" in text


def test_the_published_run_is_its_steps_at_the_measured_pace():
    assert scale.published_run(BENCH) == 2_400 * 1.0 + 120_000 * 0.5


def test_on_a_gpu_it_is_its_steps_at_the_rate_that_so_many_processes_share():
    assert scale.on_gpu(GPU) == {1: 2_400 / 100 + 120_000 / 200, 8: 2_400 / 50 + 120_000 / 37.5}
    runs = scale.grid(100, 3600 * 10, scale.on_gpu(GPU))
    assert "| two cores | 10 h | 42 days | pace measured |" in runs
    assert "| 1 GPU, 8 runs at once on each | 54 min | 12 h | pace measured |" in runs  # 13 rounds
    assert "| 64 GPUs, 1 run at once on each | 10 min | 21 min | 64 times that pace, assumed |" in runs


def test_machines_do_whole_rounds_of_runs():
    assert scale.hours(10, 3600) == 10
    assert scale.hours(10, 3600, at_once=4) == 3  # 4 + 4 + 2
    assert [scale.duration(h) for h in (0.5, 5.04, 100, 24 * 1000)] == ["30 min", "5 h", "4.2 days", "2.7 years"]


def test_the_page_holds_its_figures_and_says_what_was_not_run():
    text = scale.page({"robustness": ROWS}, BENCH, GPU)
    assert "takes 17 h on two cores" in text  # 62,400 s
    assert "8 processes together do 1.5 times" in text and "8 workers on it do 5.0 times" in text
    assert "100 times as fast as two cores" in text and "not run" in text  # 62,400 s over 624 s
    assert "{" not in text.replace('env={"OMP_NUM_THREADS": "1"}', "") and text.count("\n") <= 111


def test_the_stored_page_is_made_from_the_stored_tables():
    tables = {name: read_table(scale.RESULTS / f"{name}.csv") for name in ("robustness", "accuracy")}
    bench, gpu = (list(csv.DictReader((scale.RESULTS / name).open(newline=""))) for name in ("bench.csv", "gpu.csv"))
    assert (scale.RESULTS / "SCALE.md").read_text() == scale.page(tables, bench, gpu)


def test_over_ranks_the_mean_must_be_reduced_before_the_exponential_and_the_classes_before_the_logarithm():
    logits = torch.randn(8, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits[:4] *= 5  # the teacher is surer of the first rank's images
    whole, ranks = logits.clone().requires_grad_(), [half.clone().requires_grad_() for half in logits.chunk(2)]

    def shares(value):  # the gradient that each rank's images get
        return torch.cat(torch.autograd.grad(value, ranks))

    for loss in losses.one_hot, losses.information_entropy:
        (right,) = torch.autograd.grad((loss(whole) + 0.5).exp(), whole)
        alone = shares(sum((loss(half) + 0.5).exp() for half in ranks) / 2)  # each its own exponential, then averaged
        assert (alone - right).abs().max() > 0.1 * right.abs().max()
        if loss is losses.one_hot:
            reduced = (sum(losses.one_hot(half) for half in ranks) / 2 + 0.5).exp()
        else:
            mean = sum(half.softmax(1).mean(0) for half in ranks) / 2
            reduced = ((mean * mean.log()).sum() + 0.5).exp()
        torch.testing.assert_close(shares(reduced), right, rtol=1e-12, atol=1e-14)
