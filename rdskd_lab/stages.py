"""One data-free distillation in memory: the generator learns from the teacher, then the student from the generator.

    run = Distillation(teacher, student, rdskd(), PRESETS["classroom"], seed=0)
    for step in run: print(step.phase, step.i, step.raw)

`Distillation` owns all state of a run and can hand it out (`state`) and take it back (`restore`), so a run that
was cut anywhere between two steps goes on bit for bit.  It knows no disk (see `runs`) and no test data.
"""

from collections.abc import Iterator
from copy import deepcopy
from itertools import islice

import torch
from torch import Tensor, nn
from torch.optim import Adam

from .batch import Batch, read
from .lean import lean
from .loops import Step, cosine, distill, painted, reanchoring, synthesise
from .methods import Settings
from .modes import buffers_kept, mode
from .objective import ANCHORS, Objective
from .pool import Pool
from .sources import Generator


def find_device(name: str = "auto") -> torch.device:
    """CUDA, else MPS, else CPU; or the device that `name` asks for, if this machine has it."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name.split(":")[0] not in ("cpu", "cuda", "mps"):  # torch knows more, of which some hold no numbers
        raise ValueError(f"device {name!r} cannot be used here; say auto, cpu, cuda or mps")
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:  # torch raises either for a device that is not there
        raise ValueError(
            f"device {name!r} cannot be used here ({str(error).splitlines()[0]}); try --device auto"
        ) from error
    return torch.device(name)


def seeded(seed: int, build, *args, **settings):
    """Build a network whose initial weights depend on `seed` alone; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(*args, **settings)


class Distillation:
    """A teacher, a generator, a pool, a student, and how far each has come."""

    def __init__(self, teacher: nn.Module, student: nn.Module, objective: Objective, settings: Settings, *,
                 seed: int = 0, channels: int = 1, size: int = 32, device: torch.device | str = "cpu"):  # fmt: skip
        self.settings, self.objective, self.seed = settings, objective, seed
        self.teacher = teacher.to(device, memory_format=torch.channels_last)  # same numbers, laid out for speed
        self.student = student.to(device, memory_format=torch.channels_last)
        self.classes = _classes(self.teacher, channels, size, device)
        self.generator = seeded(seed, Generator, settings.latent, channels, size, settings.width)
        self.generator = lean(self.generator).to(device)
        fused = torch.device(device).type in ("cpu", "cuda")
        self.generator_optimizer = Adam(self.generator.parameters(), settings.lr, fused=fused)
        self.student_optimizer = Adam(self.student.parameters(), settings.student_lr, fused=fused)
        self.rng = torch.Generator().manual_seed(seed)  # on the CPU, so that every device sees the same latents
        self.probe = self.generator.latents(40, torch.Generator().manual_seed(seed + 1))  # the latents of every picture
        kept = settings.generator_steps * settings.batch_size if settings.pooled else 0
        self.pool = Pool(kept, channels, size, self.classes, device)
        self.done = {"synthesise": 0, "distill": 0}  # steps

    def __iter__(self) -> Iterator[Step]:
        yield from self.synthesise()
        yield from self.distill()

    def synthesise(self) -> Iterator[Step]:
        """The generator's remaining steps."""
        s, start = self.settings, self.done["synthesise"]
        steps = synthesise(self.teacher, self.generator, self.objective, self.generator_optimizer,
                           batch_size=s.batch_size, rng=self.rng, start=start)  # fmt: skip
        for step in islice(reanchoring(steps, self.objective), s.generator_steps - start):
            if s.pooled:
                self.pool.add(step.batch)
            self.done["synthesise"] += 1
            yield step

    def distill(self) -> Iterator[Step]:
        """The student's remaining steps."""
        s, start = self.settings, self.done["distill"]
        steps = distill(
            self.student, self.lessons(start), self.student_optimizer, temperature=s.temperature, start=start
        )
        if s.student_schedule == "cosine":
            steps = cosine(steps, self.student_optimizer, s.student_steps, s.student_lr)
        for step in islice(steps, s.student_steps - start):
            self.done["distill"] += 1
            yield step

    def lessons(self, start: int = 0) -> Iterator[Batch]:
        s = self.settings
        if s.pooled:
            return self.pool.lessons(self.teacher, s.student_batch_size, seed=self.seed, start=start,
                                     augment=s.augment, reuse=s.reuse)  # fmt: skip
        return painted(self.generator, self.teacher, s.student_batch_size, self.rng)

    def picture(self) -> dict[str, Tensor | int]:
        """What the generator makes of the 40 probe latents now, and what the teacher says to it.

        `steps` done, `images` uint8 (40, C, S, S), each stretched from its darkest to its brightest pixel, the
        teacher's `labels` (40,) and its `confidence` (40,) in them.
        """
        with torch.no_grad(), buffers_kept(self.generator), mode(self.generator, training=True):
            batch = read(self.teacher, Batch(self.generator(self.probe), z=self.probe))
        low, high = batch.images.amin((1, 2, 3), keepdim=True), batch.images.amax((1, 2, 3), keepdim=True)
        images = ((batch.images - low) / (high - low).clamp_min(1e-8) * 255).round().to(torch.uint8)
        confidence, labels = batch.probs.max(1)
        found = {"images": images, "labels": labels, "confidence": confidence}
        return {"steps": self.done["synthesise"], **{key: tensor.cpu() for key, tensor in found.items()}}

    def state(self) -> dict:
        """Everything that later steps depend on, but for the pool's rows; plain tensors, numbers and strings."""
        table = {
            name: {"weight": t.weight, "on": t.on, "damped": t.damped, "anchor": t.anchor}
            for name, t in self.objective.items()
        }
        return deepcopy(
            {
                "done": dict(self.done),
                "terms": table,
                "rng": self.rng.get_state(),
                "generator": self.generator.state_dict(),
                "generator_optimizer": self.generator_optimizer.state_dict(),
                "student": self.student.state_dict(),
                "student_optimizer": self.student_optimizer.state_dict(),
                "filled": self.pool.filled,
            }
        )

    def restore(self, state: dict) -> None:
        """Take `state` back; the pool's rows must have been put back before."""
        for name, row in state["terms"].items():
            for key, value in row.items():
                setattr(self.objective[name], key, value)
        self.rng.set_state(state["rng"])
        for part in "generator", "generator_optimizer", "student", "student_optimizer":
            getattr(self, part).load_state_dict(deepcopy(state[part]))
        self.done, self.pool.filled = dict(state["done"]), state["filled"]


def use_anchor(objective: Objective, rule: str) -> None:
    """Give every damped term the anchor rule named `rule`; "none" takes the damping away, leaving the plain sum."""
    if rule != "none" and rule not in ANCHORS:
        raise ValueError(f"no anchor rule {rule!r}; there are {', '.join([*ANCHORS, 'none'])}")
    for term in objective.values():
        if term.damped:
            term.damped, term.rule = rule != "none", ANCHORS.get(rule, term.rule)


def _classes(teacher: nn.Module, channels: int, size: int, device) -> int:
    """How many classes the teacher answers with, found by asking it; a teacher that cannot be asked is refused."""
    images = torch.zeros(2, channels, size, size, device=device)
    try:
        answer = read(teacher, Batch(images)).logits
    except (RuntimeError, ValueError, TypeError) as error:
        raise ValueError(f"the teacher cannot read images of {channels} x {size} x {size}: {error}") from error
    if not isinstance(answer, Tensor) or answer.ndim != 2 or len(answer) != 2 or answer.shape[1] < 2:
        shape = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise ValueError(f"the teacher must answer N images with logits (N, K), K > 1; two images gave {shape}")
    return answer.shape[1]
