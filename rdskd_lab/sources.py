"""What is being optimised: the weights of a Generator, or the Pixels themselves."""

import torch
from torch import Tensor, nn

from .batch import Batch


class Generator(nn.Module):
    """z (N, Z) -> images (N, C, S, S).  Source: DAFL and RDSKD, published code (the same network in both).

    The last BatchNorm gives each channel mean 0 and variance 1 over batch and pixels, which is the scale of
    normalised data.  `eps=0.8` in the inner ones is theirs, probably meant as momentum; it is kept.
    """

    def __init__(self, latent: int = 100, channels: int = 1, size: int = 32, width: int = 128):
        super().__init__()
        if size % 4 or size < 4:
            raise ValueError(
                f"the generator doubles its image twice, so the size must be a multiple of 4; it is {size}"
            )
        self.latent, self.side, self.width = latent, size // 4, width
        self.project = nn.Linear(latent, width * self.side**2)
        self.paint = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width, eps=0.8),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width // 2, 3, padding=1),
            nn.BatchNorm2d(width // 2, eps=0.8),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width // 2, channels, 3, padding=1),
            nn.Tanh(),
            nn.BatchNorm2d(channels, affine=False),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.paint(self.project(z).view(-1, self.width, self.side, self.side))

    def latents(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """z ~ N(0, I), (n, Z).  Drawn where `rng` lives, so one seed gives one set of latents on every device."""
        weight = self.project.weight
        z = torch.randn(n, self.latent, generator=rng, dtype=weight.dtype, device=rng.device if rng else weight.device)
        return z.to(weight.device, non_blocking=True)

    def sample(self, n: int, rng: torch.Generator | None = None) -> Batch:
        z = self.latents(n, rng)
        return Batch(self(z), z=z)


class Pixels(nn.Module):
    """A sheet of images that are themselves the parameters, each with something to become.

    targets (M,) or (M, K); `jitter` rolls the whole sheet by up to that many pixels while training, so that no
    image can hide in the position of its pixels.  A sample is a copy, so that a batch still shows what was measured
    when the optimiser has moved the sheet.  Source: DeepInversion, published code.
    """

    def __init__(self, targets: Tensor, channels: int = 1, size: int = 32, jitter: int = 0,
                 rng: torch.Generator | None = None):  # fmt: skip
        super().__init__()
        self.images = nn.Parameter(torch.randn(len(targets), channels, size, size, generator=rng))
        self.register_buffer("targets", targets)
        self.jitter = jitter

    def sample(self, n: int | None = None, rng: torch.Generator | None = None) -> Batch:
        """All images, or `n` of them drawn without replacement."""
        images, targets = self.images.clone(), self.targets
        if self.training and self.jitter:
            shift = torch.randint(-self.jitter, self.jitter + 1, (2,), generator=rng).tolist()
            images = images.roll(shift, (2, 3))
        if n is not None and n < len(images):
            pick = torch.randperm(len(images), generator=rng)[:n].to(images.device)
            images, targets = images[pick], targets[pick]
        return Batch(images, targets=targets)
