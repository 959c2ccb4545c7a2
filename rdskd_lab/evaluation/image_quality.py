"""Measure generated images without looking at the student: coverage, distance, fluctuation, and teacher-FID.

The Frechet distance is torchmetrics' (extra `metrics`).  In a teacher's own feature space it is called teacher-FID,
since it is comparable with no published FID.
"""

from copy import deepcopy
from itertools import islice

import torch
from torch import Tensor, nn

from ..batch import Batch, find_head, read
from ..generator import Generator
from ..objective import Objective
from ..torch_state import buffers_kept, train_mode
from ..training import generated_batches
from .accuracy import logits_of

SURVEYED = 2_000  # images of a run at most
SINGLE = ("mps",)  # kinds of devices that have no float64


def coverage(histogram: Tensor) -> dict[str, float]:
    """Count the classes that occur, and compute the entropy in nats, at most ln K.  histogram (K,): images a class."""
    p = _where_doubles_are(histogram).double() / max(1, int(histogram.sum()))
    return {"classes": int((histogram > 0).sum()), "entropy": torch.special.entr(p).sum().item()}


def rare(histogram: Tensor) -> Tensor:
    """Mark the classes that have less than a tenth of an even share, (K,): too few to learn them from."""
    return histogram * len(histogram) * 10 < histogram.sum()


def distance(images: Tensor) -> float:
    """Compute the mean 2-norm |x_i - x_j| over all pairs i < j.  (N, ...) -> number, in units of x."""
    return nn.functional.pdist(_where_doubles_are(images).flatten(1).double()).mean().item()


def fluctuation(values: list[float]) -> float:
    """Compute the mean positive increment per step: 1/(n-1) sum_i max(0, L_i+1 - L_i), in the unit of the loss.

    `values` must be of a fixed probe batch (`Probe`): on fresh batches they are almost only sampling noise.
    """
    if len(values) < 2:
        raise ValueError(f"a fluctuation needs at least two values; there are {len(values)}")
    steps = torch.tensor(values, dtype=torch.float64).diff()
    return steps.clamp_min(0).mean().item()


class Probe:
    """Measures every term on the same latents of a generator, as often as asked, and changes nothing."""

    def __init__(self, teacher: nn.Module, generator: Generator, objective: Objective, n: int = 512, seed: int = 0):
        self.teacher, self.generator, self.objective, self.n = teacher, generator, objective, n
        self.rng = torch.Generator().manual_seed(seed)
        self.z = generator.latents(n, self.rng)

    def measure(self) -> dict[str, float]:
        """Measure the terms' raw values now, on the fixed latents."""
        return self._on(self.z)

    def floor(self, draws: int = 50) -> dict[str, float]:
        """Measure the noise floor: each term's fluctuation with a frozen generator and fresh latents every time."""
        rows = [self._on(self.generator.latents(self.n, self.rng)) for _ in range(draws)]
        return {name: fluctuation([row[name] for row in rows]) for name in self.objective}

    @torch.no_grad()
    def _on(self, z: Tensor) -> dict[str, float]:
        with buffers_kept(self.generator), train_mode(self.generator, training=True):
            images = self.generator(z)
        batch = read(self.teacher, Batch(images, z=z), self.objective.needs)
        return dict(zip(self.objective, self.objective(batch).raw.tolist(), strict=True))


# ---- through torchmetrics --------------------------------------------------------------------------------------------


class Features(nn.Module):
    """A teacher's penultimate features as the embedding of a Frechet distance: (N, C, S, S) -> (N, D)."""

    def __init__(self, teacher: nn.Module, channels: int, size: int):
        super().__init__()
        self.teacher = teacher
        device = next(teacher.parameters()).device
        self.num_features = self(torch.zeros(1, channels, size, size, device=device)).shape[1]

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        dtype = next(self.teacher.parameters()).dtype
        return read(self.teacher, Batch(images.to(dtype)), ("features",)).features.flatten(1)


def teacher_fid(teacher: nn.Module, real: Tensor, images: Tensor, batch_size: int = 500) -> float:
    """Compute teacher-FID, |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^1/2) of the teacher's features: 0 if alike.

    real, images (N, C, S, S), normalised as the teacher expects.  It uses real images, so it must not select anything.
    """
    try:
        from torchmetrics.image.fid import FrechetInceptionDistance
    except ImportError as error:
        raise ImportError("this needs torchmetrics: pip install 'rdskd-lab[metrics]'") from error
    real, images = _where_doubles_are(real), _where_doubles_are(images)
    features = Features(deepcopy(teacher).to(real.device), *real.shape[1:3])  # a copy, which set_dtype takes to float64
    metric = FrechetInceptionDistance(features, input_img_size=tuple(real.shape[1:]))
    metric = metric.to(real.device).set_dtype(torch.float64)
    for kind, is_real in (real, True), (images, False):
        for part in kind.split(batch_size):
            metric.update(part, real=is_real)
    return metric.compute().item()


def _where_doubles_are(x: Tensor) -> Tensor:
    return x.cpu() if x.device.type in SINGLE else x


def seen(run, n: int = SURVEYED) -> Tensor:
    """Take up to `n` images that a run's student learned from, (N, C, S, S): evenly from its pool, or fresh ones.

    Nothing in the run (`Distillation`) changes, its random numbers included.
    """
    if run.pool.filled:
        rows = torch.linspace(0, run.pool.filled - 1, min(n, run.pool.filled)).round().long()
        return run.pool.images[rows.to(run.pool.images.device)].to(next(run.teacher.parameters()).dtype)
    return fresh(run, n)


def fresh(run, n: int = SURVEYED) -> Tensor:
    """Generate `n` images with a run's source as it is now, (N, C, S, S), without changing the run."""
    batches = generated_batches(run.source, run.teacher, 250, torch.Generator().manual_seed(run.seed + 2))
    return torch.cat([batch.images for batch in islice(batches, -(-n // 250))])[:n]


def of_last(run, real: Tensor) -> dict[str, float | None]:
    """Measure what `of_run` does, and coverage, on images from the last generator.  Names begin with "final_".

    A pool holds images from the whole training of the generator, so it covers classes that the last generator has
    lost.  A class counts if it is not `rare`.  Without a generator, the images are those that the student saw.
    """
    images = fresh(run) if isinstance(run.source, Generator) else seen(run)
    histogram = torch.bincount(logits_of(run.teacher, images.split(250)).argmax(1), minlength=run.classes)
    found = {"classes": int((~rare(histogram)).sum()), "entropy": coverage(histogram)["entropy"]}
    return {f"final_{name}": value for name, value in (found | of_images(run, images, real)).items()}


def of_run(run, real: Tensor) -> dict[str, float | None]:
    """Compare a finished run's images with real ones (M, C, S, S), normalised, which must not select anything.

    `distance` in normalised pixels; `feature_distance` the same in the teacher's features; `teacher_fid`, None without
    torchmetrics.  Values in a teacher's features are comparable for the same teacher only.
    """
    return of_images(run, seen(run), real)


def of_images(run, images: Tensor, real: Tensor) -> dict[str, float | None]:
    """Measure the same for any images (N, C, S, S)."""
    if find_head(run.teacher) is None:  # so it has no features
        return {"distance": distance(images), "feature_distance": None, "teacher_fid": None}
    features = Features(run.teacher, run.channels, run.size)
    embedded = torch.cat([features(part) for part in images.split(250)])
    try:
        fid = teacher_fid(run.teacher, real.to(images.device), images)
    except ImportError:
        fid = None
    return {"distance": distance(images), "feature_distance": distance(embedded), "teacher_fid": fid}
