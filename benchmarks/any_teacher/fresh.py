"""Three teachers that nothing was tuned on, made last: `python benchmarks/any_teacher/fresh.py`, forecast, then truth.

    results/any_teacher_fresh.csv      the forecast of each (written before its first student), then its students

A LeNet-5 with tanh and average pooling, trained by SGD on images of which a square is cut out; a network of two hidden
layers without any convolution; and a LeNet-5 with BatchNorm, trained by SGD with a large learning rate on noisy labels.
"""

import csv
import sys
from itertools import islice
from pathlib import Path

import suite
import teachers as T
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD

from rdskd_lab.batch import Batch
from rdskd_lab.evaluation.accuracy import accuracy
from rdskd_lab.networks.architectures import LeNet5, LeNet5BN
from rdskd_lab.networks.weights import save_weights
from rdskd_lab.runs.check_teacher import check_teacher
from rdskd_lab.runs.compare import append_row
from rdskd_lab.runs.train_teacher import labelled_batches
from rdskd_lab.torch_state import seeded
from rdskd_lab.training import cosine, fit

TABLE = T.TOP / "results" / "any_teacher_fresh.csv"
AGREED = "agreement generated"  # of the check-up's short run, as in any_teacher_forecast.csv


class Tanh(LeNet5):
    """LeNet-5 as it was in 1998, near enough: tanh, and means where ours takes maxima."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(self.conv1(x).tanh(), 2)
        x = F.avg_pool2d(self.conv2(x).tanh(), 2)
        x = self.conv3(x).tanh().flatten(1)
        return self.fc2(self.fc1(x).tanh())


def flat() -> nn.Module:
    """Make a network of two hidden layers of 512 and 256, with dropout."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(1024, 512),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(512, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


def cut_out(batch: Batch, rng: torch.Generator) -> Batch:
    """Set a square of 10 x 10 pixels of each image to the mean."""
    n, size = len(batch.images), batch.images.shape[-1]
    row, column = (torch.randint(0, size - 9, (n, 1, 1, 1), generator=rng) for _ in range(2))
    y, x = torch.arange(size).view(1, 1, -1, 1), torch.arange(size).view(1, 1, 1, -1)
    inside = (y >= row) & (y < row + 10) & (x >= column) & (x < column + 10)
    return Batch(batch.images.masked_fill(inside, 0.0), targets=batch.targets)


def noisy(batch: Batch, rng: torch.Generator) -> Batch:
    """Give one label in twenty at random."""
    wrong = torch.rand(len(batch.targets), generator=rng) < 0.05
    return Batch(
        batch.images, targets=torch.where(wrong, torch.randint(0, 10, wrong.shape, generator=rng), batch.targets)
    )


FRESH = {
    "tanh-cut-out": (Tanh, cut_out, 0.05, 6_000),
    "no-convolution": (flat, T.warped, 0.05, 8_000),
    "bn-noisy-labels": (LeNet5BN, noisy, 0.2, 4_240),
}  # name -> network, change of a batch, learning rate, steps


def make(name: str) -> nn.Module:
    """Train one of them by SGD, momentum 0.9, half a cosine; seed 777."""
    network, change, rate, steps = FRESH[name]
    split, net, rng = T.TEACHERS["plain"].split("train"), seeded(777, network), torch.Generator().manual_seed(777)
    optimizer = SGD(net.parameters(), rate, momentum=0.9, nesterov=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(777)
        batches = (change(batch, rng) for batch in labelled_batches(split, rng, "cpu"))
        for _ in cosine(islice(fit(net, batches, optimizer), steps), optimizer, steps, rate):
            pass
    return net


def main(*names: str) -> None:
    """Make, forecast and distil each, or those named; what has a row is not repeated."""
    if unknown := set(names) - set(FRESH):
        raise SystemExit(f"the fresh teachers are {', '.join(FRESH)}, not {', '.join(unknown)}")
    for name in names or FRESH:
        T.TEACHERS[name] = T.Teacher("fresh", FRESH[name][0], name)
        path = Path(T.PLACE) / f"{name}.safetensors"
        if not path.exists():
            save_weights(make(name), path, command=f"python benchmarks/any_teacher/fresh.py {name}")
        read = accuracy(T.trained(name), T.TEACHERS[name].split("test"))
        if not all(done(name, what, "") for what in ("forecast", AGREED)):
            found = check_teacher(T.trained(name), seconds=1e9)
            for what, value in (("forecast", found.forecast), (AGREED, found.agreement["generated"])):
                if not done(name, what, ""):
                    write(name, what, "", value, read, "")
    for seed in suite.SEEDS:
        for arm in "rdskd", "any-teacher":
            for name in names or FRESH:
                if not done(name, arm, seed):
                    row = suite.measure("fresh", "classroom", arm, name, seed)
                    write(name, arm, seed, row["test_accuracy"], "", row["settings"])


def done(name: str, what: str, seed) -> bool:
    """Say whether there is a row."""
    rows = list(csv.DictReader(TABLE.open())) if TABLE.exists() else []
    return (name, what, str(seed)) in {(r["teacher"], r["what"], r["seed"]) for r in rows}


def write(name: str, what: str, seed, value, teacher_accuracy, note: str) -> None:
    """Add a row."""
    row = dict(teacher=name, what=what, seed=seed, value=value, teacher_accuracy=teacher_accuracy, note=note)
    append_row(TABLE, row)
    print(*row.values(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
