"""The images that trained a generator, kept with the teacher's answers, so that a student can train on them many times.

Generating images is the expensive part: the published generator costs about 270 times what LeNet-5 costs.  The
published way generates a fresh batch for every student step and forgets it.  Here each batch that trained the
generator is kept, which samples the generator all along its training; the student sees kept images, slightly warped
and answered anew by the teacher.
"""

import math
from collections.abc import Callable, Iterator
from itertools import count

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..batch import Batch, read


class Pool:
    """Up to `capacity` images (N, C, S, S), in half precision, and the teacher's logits (N, K), in order of arrival."""

    def __init__(self, capacity: int, channels: int, size: int, classes: int, device: torch.device | str = "cpu"):
        self.images = torch.empty(capacity, channels, size, size, dtype=torch.float16, device=device)
        self.logits = torch.empty(capacity, classes, device=device)
        self.filled = 0  # images

    def __len__(self) -> int:
        return self.filled

    def add(self, batch: Batch) -> None:
        """Keep a batch's images and answers; a full pool keeps what it has."""
        room = slice(self.filled, min(self.filled + len(batch.images), len(self.images)))
        n = room.stop - room.start
        self.images[room], self.logits[room] = batch.images[:n].detach(), batch.logits[:n].detach()
        self.filled = room.stop

    def histogram(self) -> Tensor:
        """Count the images that the teacher takes for each class, (K,)."""
        answers = self.logits[: self.filled]
        return torch.bincount(answers.argmax(1), minlength=answers.shape[1])

    def batches(
        self,
        teacher: nn.Module,
        batch_size: int,
        *,
        seed: int = 0,
        start: int = 0,
        augment: float = 1.0,
        reuse: int = 1,
        round_size: int = 12_800,
    ) -> Iterator[Batch]:
        """Yield batches for a student from the `start`-th on: a pure function of the pool, `seed` and `start`.

        They never end, and come in rounds: `round_size` images are drawn, warped, answered by the teacher, and then
        used `reuse` times, each time in another order.  `augment` scales the warp; 0 leaves images and answers alone.
        """
        if batch_size > self.filled:
            raise ValueError(
                f"a batch of {batch_size} images cannot be drawn from a pool of {self.filled}; lower the batch size"
            )
        n = max(1, min(round_size, self.filled) // batch_size) * batch_size  # images of a round

        def draw(rng: torch.Generator) -> tuple[Tensor, Tensor]:
            rows = torch.randperm(self.filled, generator=rng)[:n].to(self.images.device)
            if not augment:
                return self.images[rows], self.logits[rows]
            return answered(teacher, self.images[rows], lambda images, rng: warp(images, augment, rng), rng)

        yield from rounds(draw, n, batch_size, seed, start, reuse)


def rounds(
    draw: Callable[[torch.Generator], tuple[Tensor, Tensor]], n: int, batch_size: int, seed: int, start: int, reuse: int
) -> Iterator[Batch]:
    """Yield batches from the `start`-th on; `draw(rng)` gives the n images and answers of a round, used `reuse` times.

    Each time they come in another order.  A pure function of what `draw` does, `seed` and `start`; never ends.
    """
    batches = n // batch_size * reuse
    for i in count(start // batches):
        rng = torch.Generator().manual_seed(1_000_003 * seed + i)
        images, logits = draw(rng)
        order = torch.cat([torch.randperm(n, generator=rng) for _ in range(reuse)]).to(images.device)
        for pick in order.split(batch_size)[start % batches :]:
            yield Batch(images[pick].float(), logits=logits[pick])
        start = 0


@torch.no_grad()
def answered(
    teacher: nn.Module, images: Tensor, change: Callable[[Tensor, torch.Generator], Tensor], rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Change images (N, C, S, S), 256 at a time, and return them with the teacher's answers (N, K)."""
    images, logits = images.clone(), []
    for part in torch.arange(len(images), device=images.device).split(256):
        images[part] = change(images[part].float(), rng).to(images.dtype)
        logits.append(read(teacher, Batch(images[part].float())).logits)
    return images, torch.cat(logits)


def warp(images: Tensor, strength: float = 1.0, rng: torch.Generator | None = None) -> Tensor:
    """Turn, scale, shear and shift each image (N, C, S, S) at random; the border's colour fills what comes in.

    At strength 1 uniformly within 15 degrees, a factor exp(0.15), 10 degrees, and a tenth of the half width.
    """
    turn, zoom, shear, dx, dy = (torch.rand(5, len(images), generator=rng) * 2 - 1) * strength
    angle, scale, slope = turn * math.radians(15), (0.15 * zoom).exp(), (shear * math.radians(10)).tan()
    c, s = angle.cos() / scale, angle.sin() / scale
    rows = torch.stack([c, c * slope - s, 0.1 * dx, s, s * slope + c, 0.1 * dy], 1).view(-1, 2, 3)
    grid = F.affine_grid(rows.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
