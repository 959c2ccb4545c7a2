"""Make the suite of teachers: `python benchmarks/any_teacher/teachers.py` trains those that are not there yet.

    runs/teachers/NAME.safetensors       untracked; what is there is not made again
    results/any_teacher_suite.csv        how each was made, its accuracy on tuning and test images, its sha256
    results/any_teacher_again.csv        the same with --again, of teachers that were trained once more: on another
                                         processor sums are rounded otherwise, and the weights are others

No teacher sees a tuning image.  None is chosen by its test accuracy, and none is dropped: each is what its one recipe
and its one seed give.  The shipped LeNet-5 and LeNet-5 with BatchNorm are members too.
"""

import csv
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import AdamW

sys.path.insert(0, str(Path(__file__).resolve().parent))
import networks

from rdskd_lab.batch import Batch
from rdskd_lab.datasets import load
from rdskd_lab.evaluation.accuracy import accuracy
from rdskd_lab.methods.image_pool import warp
from rdskd_lab.networks.weights import fingerprint, load_weights, save_weights
from rdskd_lab.runs.train_teacher import BATCH, labelled_batches
from rdskd_lab.torch_state import seeded
from rdskd_lab.training import cosine, fit

TOP = Path(__file__).resolve().parents[2]
PLACE, TABLE = TOP / "runs" / "teachers", TOP / "results" / "any_teacher_suite.csv"
AGAIN = TOP / "results" / "any_teacher_again.csv"


def as_they_are(batch: Batch, rng: torch.Generator) -> Batch:
    """Return images and labels as they are."""
    return batch


def warped(batch: Batch, rng: torch.Generator) -> Batch:
    """Turn, scale, shear and shift every image, as RDSKD's student sees its pool."""
    return replace(batch, images=warp(batch.images, 1.0, rng))


def mixed(batch: Batch, rng: torch.Generator) -> Batch:
    """Mix each image and its label with another's, the share uniform in [0, 1] (mixup with alpha 1)."""
    n, soft = len(batch.images), F.one_hot(batch.targets, 10).float()
    share, other = torch.rand(n, generator=rng), torch.randperm(n, generator=rng)
    images = torch.lerp(batch.images, batch.images[other], share.view(-1, 1, 1, 1))
    return replace(batch, images=images, targets=torch.lerp(soft, soft[other], share.view(-1, 1)))


def smoothed(batch: Batch, rng: torch.Generator) -> Batch:
    """Give each label 0.9 and all classes together 0.1."""
    return replace(batch, targets=0.9 * F.one_hot(batch.targets, 10).float() + 0.01)


@dataclass(frozen=True)
class Teacher:
    """How a teacher of the suite is made, and how it is distilled.  Adam, 1e-3, half a cosine, batches of 128."""

    half: str  # "tuning": the recipe was chosen on these; "reported": it was not
    network: Callable[[], nn.Module]
    words: str
    data: str = "mnist"
    size: int = 32
    steps: int = 4_240  # ten passes
    change: Callable[[Batch, torch.Generator], Batch] = as_they_are
    decay: float = 0.0  # AdamW's
    part: int = 1  # one in so many training images
    mean: tuple[float, ...] = ()  # as the data have it
    std: tuple[float, ...] = ()
    seed: int = 20_261
    shipped: str = ""
    student: str = "lenet5-half"

    def split(self, which: str):
        """Read a split as this teacher expects it."""
        given = {"mean": self.mean, "std": self.std} if self.mean else {}
        found = load(self.data, which, size=self.size, **given)
        return found[:: self.part] if which == "train" else found


FASHION = dict(data="fashion-mnist")
OTHER_SCALE = dict(mean=(0.5,), std=(0.5,))
TEACHERS = {
    "plain": Teacher("tuning", networks.lenet5, "LeNet-5, shipped", shipped="lenet5"),
    "warped": Teacher("tuning", networks.lenet5, "LeNet-5, warped images", steps=6_000, change=warped),
    "bn": Teacher("tuning", networks.lenet5_bn, "LeNet-5 with BatchNorm, shipped", shipped="lenet5-bn"),
    "bn-warped": Teacher(
        "tuning", networks.lenet5_bn, "LeNet-5 with BatchNorm, warped images", steps=6_000, change=warped
    ),
    "fashion": Teacher("tuning", networks.lenet5, "LeNet-5, Fashion-MNIST", **FASHION, steps=6_000),
    "smoothing": Teacher("tuning", networks.lenet5, "LeNet-5, label smoothing 0.1", change=smoothed),
    "dropout": Teacher("tuning", networks.Dropout, "LeNet-5, dropout 0.5 before its last two layers"),
    "trained-long": Teacher("tuning", networks.lenet5, "LeNet-5, forty passes", steps=16_960),
    "mixup": Teacher("reported", networks.lenet5, "LeNet-5, mixup with alpha 1", change=mixed, steps=6_000),
    "decay": Teacher("reported", networks.lenet5, "LeNet-5, AdamW with weight decay 1", decay=1.0),
    "third": Teacher("reported", networks.lenet5, "LeNet-5, a third of the images, thirty passes", part=3),
    "groupnorm": Teacher("reported", networks.GroupNorm, "LeNet-5 with GroupNorm"),
    "residual": Teacher("reported", networks.Residual, "a small residual net with BatchNorm", steps=2_400),
    "bn-mixup": Teacher(
        "reported", networks.lenet5_bn, "LeNet-5 with BatchNorm, mixup with alpha 1", change=mixed, steps=6_000
    ),
    "28-pixels": Teacher(
        "reported",
        networks.plain28,
        "two convolutions, 28 x 28 pixels in [-1, 1]",
        size=28,
        **OTHER_SCALE,
        student="networks:plain28_half",
    ),
    "16-pixels": Teacher(
        "reported",
        networks.plain16,
        "two convolutions, 16 x 16 pixels in [-1, 1]",
        size=16,
        **OTHER_SCALE,
        student="networks:plain16_half",
    ),
    "fashion-bn": Teacher(
        "reported", networks.lenet5_bn, "LeNet-5 with BatchNorm, Fashion-MNIST", **FASHION, steps=6_000
    ),
}
LEAST = {"mnist": 0.985, "fashion-mnist": 0.89}


def trained(name: str) -> nn.Module:
    """Return a teacher of the suite; it must have been made."""
    return load_weights(TEACHERS[name].network(), file(name))


def file(name: str) -> str | Path:
    """Return where a teacher's weights are; a shipped one by its name."""
    return TEACHERS[name].shipped or PLACE / f"{name}.safetensors"


def train(teacher: Teacher) -> nn.Module:
    """Train a teacher by its recipe."""
    split, net = teacher.split("train"), seeded(teacher.seed, teacher.network)
    rng = torch.Generator().manual_seed(teacher.seed)
    optimizer = AdamW(net.parameters(), 1e-3, weight_decay=teacher.decay)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(teacher.seed)  # for dropout
        batches = (teacher.change(batch, rng) for batch in labelled_batches(split, rng, "cpu"))
        for _ in cosine(islice(fit(net, batches, optimizer), teacher.steps), optimizer, teacher.steps, 1e-3):
            pass
    return net


def row(name: str, seconds: str) -> dict:
    """Measure a finished teacher."""
    teacher, net = TEACHERS[name], trained(name)
    found = {split: accuracy(net, teacher.split(split)) for split in ("tune", "test")}
    if found["test"] < LEAST[teacher.data]:
        print(
            f"{name} reads {found['test']:.2%}, less than {LEAST[teacher.data]:.1%}: it stays, and is named in the docs"
        )
    return {
        "name": name,
        "half": teacher.half,
        "words": teacher.words,
        "data": teacher.data,
        "images": len(teacher.split("train")),
        "size": teacher.size,
        "steps": "" if teacher.shipped else teacher.steps,
        "batch": BATCH,
        "seed": "" if teacher.shipped else teacher.seed,
        "tuning_accuracy": f"{found['tune']:.4f}",
        "test_accuracy": f"{found['test']:.4f}",
        "seconds": seconds,
        "sha256": fingerprint(file(name)),
    }


def main(*given: str) -> None:
    """Make the teachers that are `given`, or all, that are not there yet; measure those that have no row."""
    path, names = (AGAIN if "--again" in given else TABLE), [name for name in given if name != "--again"]
    rows = {r["name"]: r for r in csv.DictReader(path.open())} if path.exists() else {}
    for name in names or TEACHERS:
        teacher, seconds = TEACHERS[name], ""
        if not teacher.shipped and not file(name).exists():
            begun = time.perf_counter()
            save_weights(train(teacher), file(name), command=f"python benchmarks/any_teacher/teachers.py {name}")
            seconds = f"{time.perf_counter() - begun:.0f}"
            rows.pop(name, None)
        if name not in rows:
            rows[name] = row(name, seconds)
            with path.open("w", newline="") as kept:
                table = csv.DictWriter(kept, next(iter(rows.values())), lineterminator="\n")
                table.writeheader()
                table.writerows(rows[key] for key in TEACHERS if key in rows)
        print(*rows[name].values(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
