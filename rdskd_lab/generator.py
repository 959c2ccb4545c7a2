"""What RDSKD optimises: the weights of a Generator."""

import torch
from torch import Tensor, nn

from .batch import Batch


class Generator(nn.Module):
    """z (N, Z) -> images (N, C, S, S).  Source: DAFL and RDSKD, released code (the same network in both).

    The last BatchNorm gives each channel mean 0 and variance 1 over batch and pixels, which is the scale of
    normalised data.  `eps=0.8` in the inner ones is theirs, probably meant as momentum; it is kept.  A size that is no
    multiple of 4 is cut out of the next one, which is ours.
    """

    def __init__(self, latent: int = 100, channels: int = 1, size: int = 32, width: int = 128):
        super().__init__()
        if size < 4:
            raise ValueError(f"the generator makes images of 4 x 4 pixels and more, not {size} x {size}")
        self.latent, self.side, self.width = latent, -(-size // 4), width
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
            *([nn.ZeroPad2d((0, size - 4 * self.side) * 2)] if size % 4 else []),  # below 0: rows and columns go
            nn.BatchNorm2d(channels, affine=False),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.paint(self.project(z).view(-1, self.width, self.side, self.side))

    def latents(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Draw z ~ N(0, I), (n, Z): where `rng` lives, so one seed gives one set of latents on every device."""
        weight = self.project.weight
        z = torch.randn(n, self.latent, generator=rng, dtype=weight.dtype, device=rng.device if rng else weight.device)
        return z.to(weight.device, non_blocking=True)

    def sample(self, n: int, rng: torch.Generator | None = None) -> Batch:
        z = self.latents(n, rng)
        return Batch(self(z), z=z)
