"""Train a teacher on labelled images.

LeNets: Adam, 1e-3, images as they are; the shipped ones were trained so.  All others: SGD, 0.1, momentum 0.9,
weight decay 5e-4, images shifted by up to 4 pixels and mirrored, as for CIFAR-10.  Batches of 128, half a cosine to 0.
"""

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from ..batch import Batch
from ..datasets import Split, load
from ..distillation import find_device
from ..evaluation.accuracy import accuracy
from ..networks.architectures import NETWORKS, LeNet5
from ..networks.weights import WeightsError, fingerprint, save_weights
from ..torch_state import seeded
from ..training import cosine, fit

BATCH = 128


def labelled_batches(split: Split, rng: torch.Generator, device, change=lambda images, rng: images) -> Iterator[Batch]:
    """Yield labelled batches in a new order each pass, their images changed by `change`.  Never ends."""
    while True:
        for images, labels in split.batches(BATCH, device, rng):
            if len(labels) > 1 or len(split) == 1:  # of one image BatchNorm knows no variance
                yield Batch(change(images, rng), targets=labels)


def shifted_and_mirrored(images: Tensor, rng: torch.Generator, by: int = 4) -> Tensor:
    """Shift each image (N, C, S, S) by up to `by` pixels each way, filled up with zeros (the mean), and mirror half."""
    n, _, size, _ = images.shape
    rows, columns = (torch.randint(0, 2 * by + 1, (n, 1), generator=rng) + torch.arange(size) for _ in range(2))
    mirrored = torch.rand(n, 1, generator=rng) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    padded = F.pad(images, (by,) * 4).permute(0, 2, 3, 1)
    picked = padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def recipe(net: nn.Module) -> tuple[Optimizer, dict]:
    """Return the optimiser for a network, and how its images are changed."""
    if isinstance(net, LeNet5):
        return Adam(net.parameters(), 1e-3), {}
    net.to(memory_format=torch.channels_last)  # a step of a WRN-16-2 on two cores: 0.26 s instead of 0.32
    return SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True), {"change": shifted_and_mirrored}


def train(
    data: str, out: Path, *, network: str = "lenet5", seed: int = 0, epochs: int = 10, device: str = "auto"
) -> Iterator[str]:
    """Train, write `out`, and yield a line an epoch.  The last network is kept: nothing is chosen by the test set.

    A file that is already there stays as it is until the new one is whole.
    """
    out = Path(out)
    _can_write(out)  # now, not after minutes of training
    split, tune, device = load(data, "train"), load(data, "tune"), find_device(device)
    net = seeded(seed, NETWORKS[network], split.images.shape[1], len(split.classes)).to(device)
    optimizer, changes = recipe(net)
    passes, rate = max(1, -(-(len(split) - 1) // BATCH)), optimizer.param_groups[0]["lr"]
    steps = fit(net, labelled_batches(split, torch.Generator().manual_seed(seed), device, **changes), optimizer)
    for step in cosine(islice(steps, epochs * passes), optimizer, epochs * passes, rate):
        epoch, rest = divmod(step.i + 1, passes)
        if not rest:
            yield f"epoch {epoch}: loss {step.raw['ce']:.3f}, {accuracy(net, tune):.2%} of {len(tune):,} tuning images"
    chosen = "" if network == "lenet5" else f" --network {network}"
    save_weights(net, out, command=f"rdskd-lab train-teacher{chosen} --data {data} --seed {seed} --epochs {epochs}")
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
