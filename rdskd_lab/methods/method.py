"""What a method is: a table of terms, what is optimised, when the student trains, and its settings."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..objective import Objective
from ..training import imitation
from . import building_blocks as blocks


@dataclass(frozen=True)
class Settings:
    """What a run is made of.  The defaults are the published MNIST schedule of RDSKD."""

    # ---- the source trains
    generator_steps: int = 2_400  # 20 epochs of 120 iterations
    batch_size: int = 512  # images a step; even, since diversity pairs the two halves
    latent: int = 100  # numbers in z
    width: int = 128  # channels of the generator's first convolution
    lr: float = 1e-3  # Adam, constant
    sheet_steps: int = 1  # steps on one batch of images; many where the images themselves are optimised
    jitter: int = 0  # pixels by which a sheet of images is rolled at most

    # ---- the student trains
    student_steps: int = 120_000  # 1,000 epochs of 120 iterations
    student_turn: int = 1  # steps at a time, where student and source take turns
    student_batch_size: int = 512  # images a step
    student_optimizer: str = "adam"  # or "sgd": momentum 0.9, weight decay 5e-4
    student_lr: float = 2e-3
    student_schedule: str = "constant"  # or "cosine": half of one, to 0; "steps": / 10 at 40 and 80 %; "late": at 80 %
    temperature: float = 10.0  # T in T^2 KL
    pooled: bool = False  # train on the images that trained the source; False: on fresh ones, as published
    augment: float = 0.0  # how far pooled images are warped before the teacher answers anew; 0: not at all
    reuse: int = 1  # how often a warped image is used before it is warped anew
    # of the student's images, where the method says so (`any_teacher.mixed`)
    procedural: float = 0.0  # share that is procedural
    bank: int = 12_800  # how many different procedural images there are
    things: float = 0.0  # share of them that is a thing on a plain ground; the rest are dead leaves
    strokes: float = 0.0  # share of the things that is strokes of a pen, unless they show the teacher fewer classes
    balance: float = 0.0  # how far the teacher's rare classes are preferred: 1 draws all classes equally often
    blend: float = 0.0  # share that is blended with another image

    weights: tuple[tuple[str, float], ...] = ()  # of terms, where they differ from the table's


# Where the presets of the methods begin, which change what their own searches changed.
CLASSROOM = Settings(
    width=16,
    student_steps=4_000,
    student_batch_size=128,
    student_lr=4e-3,
    student_schedule="cosine",
    pooled=True,
    augment=1.0,
)
SMALL_CIFAR10 = replace(CLASSROOM, batch_size=128, latent=256, width=64, lr=2e-3, student_lr=2e-3)


@dataclass(frozen=True)
class Method:
    """What tells one method from another.  The loop is the same for all.  A part is a function of the run."""

    terms: Callable[[], Objective]  # what the source minimises
    presets: dict[str, Settings]
    batches: Callable = blocks.finished  # what the student sees
    turns: Callable = blocks.after  # when it trains; of the settings
    student: Callable[[float], Objective] = imitation  # what the student minimises; of the temperature
    source: Callable = blocks.generator  # what is optimised
    adapters: tuple[Callable, ...] = (blocks.pooling,)  # what is kept of the source's steps; of the steps and the run
    memory: Callable | None = None  # what terms find in `Batch.memory`: any object with a state dict of tensors
    recovers: bool = False  # whether a run goes back and on otherwise when it collapses (`runs.recover`)
    real_images: bool = False  # whether it is a control that learns from them
    seen: str = "images that a generator made, and the teacher's answers to them"  # by the student, in words

    def objective(self, settings: Settings) -> Objective:
        """Return the table of terms with the weights of `settings`."""
        return self.terms().weigh(settings.weights)
