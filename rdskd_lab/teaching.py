"""How a teacher comes to be, where there are data: the recipe of the shipped LeNet-5."""

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from torch.optim import Adam

from .batch import Batch
from .data import Split, load
from .loops import cosine, fit
from .metrics import accuracy
from .models import LeNet5
from .stages import find_device, seeded
from .weights import WeightsError, fingerprint, save_weights

BATCH, LR = 128, 1e-3


def lessons(split: Split, rng: torch.Generator, device) -> Iterator[Batch]:
    """Labelled batches for ever, in another order each pass."""
    while True:
        for images, labels in split.batches(BATCH, device, rng):
            yield Batch(images, targets=labels)


def train(data: str, out: Path, *, seed: int = 0, epochs: int = 10, device: str = "auto") -> Iterator[str]:
    """Train, write `out`, and say so line by line.  The last network is kept: the test set chooses nothing.

    A file that is already there stays as it is until the new one is whole.
    """
    out = Path(out)
    _can_write(out)  # now, not after minutes of training
    split, tune, device = load(data, "train"), load(data, "tune"), find_device(device)
    net = seeded(seed, LeNet5, split.images.shape[1], len(split.classes)).to(device)
    optimizer = Adam(net.parameters(), LR)
    passes = -(-len(split) // BATCH)
    steps = fit(net, lessons(split, torch.Generator().manual_seed(seed), device), optimizer)
    for step in cosine(islice(steps, epochs * passes), optimizer, epochs * passes, LR):
        epoch, rest = divmod(step.i + 1, passes)
        if not rest:
            yield f"epoch {epoch}: loss {step.raw['ce']:.3f}, {accuracy(net, tune):.2%} of {len(tune):,} tuning images"
    save_weights(net, out, command=f"rdskd-lab train-teacher --data {data} --seed {seed} --epochs {epochs}")
    test = load(data, "test")
    yield f"{out}: {accuracy(net, test):.2%} of {len(test):,} test images; sha256 {fingerprint(out)}"


def _can_write(out: Path) -> None:
    try:
        if out.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise WeightsError(f"cannot write {out} ({error.strerror}); give another --out") from error
