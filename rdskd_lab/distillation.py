"""One data-free distillation in memory: train a generator against the teacher, then a student on its images.

    run = Distillation(teacher, student, rdskd(), PRESETS["classroom"], seed=0)
    for step in run: print(step.phase, step.i, step.raw)

`Distillation` owns all state of a run and can return it (`state`) and take it back (`restore`), so a run that was
cut between any two steps continues bit for bit.  It knows no disk (see `runs`) and no test data.
"""

from collections.abc import Iterator
from copy import deepcopy
from itertools import islice

import torch
from torch import Tensor, nn
from torch.optim import Adam

from .batch import Batch, read
from .generator import Generator
from .methods.building_blocks import SCHEDULES, optimizer
from .methods.checks import check_arguments, check_device, check_networks, check_objective
from .methods.image_pool import Pool
from .methods.method import Method, Settings
from .methods.rdskd import RDSKD
from .objective import ANCHORS, Objective
from .torch_state import buffers_kept, train_mode
from .training import Step, learn, reanchoring, show, synthesise

SHOWN = 40  # images in every picture


def find_device(name: torch.device | str = "auto") -> torch.device:
    """Return CUDA, else MPS, else CPU; or the device that `name` says, if this machine has it."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if str(name).split(":")[0] not in ("cpu", "cuda", "mps"):  # torch knows more, some of which hold no numbers
        raise ValueError(f"device {name!r} cannot be used here; say auto, cpu, cuda or mps")
    check_device(name)
    return torch.device(name)


class Distillation:
    """A teacher, a source of images, a pool, a student, and how far each has come."""

    def __init__(self, teacher: nn.Module, student: nn.Module, objective: Objective, settings: Settings, *,
                 method: Method = RDSKD, seed: int = 0, channels: int = 1, size: int = 32,
                 device: torch.device | str = "cpu", data=None, head: str = ""):  # fmt: skip
        """`data` is a labelled training split, for the controls that learn from real images; no method sees it.
        `head` names the teacher's layer whose input is the feature, should the one that is found be wrong.

        The run has a copy of `objective`: `run.objective`.  `settings.weights` go into it, except where a weight is no
        longer the one of the method's table.
        """
        device = find_device() if device == "auto" else device
        check_arguments(teacher, student, objective, settings, method.terms(), size, seed, device)
        objective = deepcopy(objective)  # its anchors move, and its weights may: another run begins anew
        self.settings, self.objective, self.method, self.seed, self.data = settings, objective, method, seed, data
        objective.weigh(settings.weights, method.terms())
        self.channels, self.size, self.device = channels, size, torch.device(device)
        found = check_networks(teacher, student, channels, size, device, settings.student_batch_size, head)
        self.teacher, self.student, self.classes = found
        check_objective(self.teacher, objective, settings.generator_steps)
        self.student_objective = method.student(settings.temperature)
        self.rng = torch.Generator().manual_seed(seed)  # on the CPU, so that every device sees the same latents
        self.source = method.source(self).to(device)
        weights = list(self.source.parameters())
        fused = self.device.type in ("cpu", "cuda")
        self.source_optimizer = Adam(weights, settings.lr, fused=fused) if weights else None
        self.memory = method.memory(self) if method.memory else None
        self.student_optimizer = optimizer(self.student, settings)
        self.probe = self._probe()
        kept = settings.generator_steps // settings.sheet_steps * settings.batch_size if settings.pooled else 0
        self.pool = Pool(kept, channels, size, self.classes, device)
        self.latest: Batch | None = None  # what trained the source last, if the student is to see it
        self.done = {"synthesise": 0, "distill": 0}  # steps
        self.turns, self.recovered = list(method.turns(settings)), []  # whose step; troubles, remedies (`runs.recover`)

    @property
    def generator(self) -> nn.Module:
        """The source, by its name in the methods that have a generator."""
        return self.source

    @property
    def generator_optimizer(self) -> Adam | None:
        return self.source_optimizer

    @property
    def stages(self) -> dict[str, int]:
        """What is trained one after the other, in how many steps: source and student, or both "together" by turns."""
        order = [turn for turn, before in zip(self.turns, [None, *self.turns], strict=False) if turn != before]
        if len(order) > 2:
            return {"together": len(self.turns)}
        return {turn: self.turns.count(turn) for turn in order}

    def __iter__(self) -> Iterator[Step]:
        """Yield the run's remaining steps, each by whose turn it is."""
        steps = {"synthesise": self.synthesise(), "distill": self.distill()}
        for turn in self.turns[sum(self.done.values()) :]:
            yield next(steps[turn])

    def synthesise(self, endless: bool = False) -> Iterator[Step]:
        """Train the source: its remaining steps, or `endless` ones.  Everything that trains one goes through here."""
        s, start = self.settings, self.done["synthesise"]
        how = dict(batch_size=s.batch_size, rng=self.rng, start=start, student=self.student, memory=self.memory)
        steps = synthesise(self.teacher, self.source, self.objective, self.source_optimizer, **how)
        steps = reanchoring(steps, self.objective)
        for adapter in self.method.adapters:
            steps = adapter(steps, self)
        for step in islice(steps, None if endless else s.generator_steps - start):
            self.done["synthesise"] += 1
            yield step

    def show(self, batch: Batch) -> Batch:
        """Fill in what the source's terms see of a batch, as in a step; nothing in the run changes."""
        return show(batch, self.objective, self.teacher, self.student, self.memory)

    def distill(self) -> Iterator[Step]:
        """Train the student: its remaining steps."""
        s, start = self.settings, self.done["distill"]
        batches = self.batches(start)
        steps = learn(self.student, batches, self.student_objective, self.student_optimizer, "distill", start)
        if s.student_schedule in SCHEDULES:
            steps = SCHEDULES[s.student_schedule](steps, self.student_optimizer, s.student_steps, s.student_lr)
        for step in islice(steps, s.student_steps - start):
            self.done["distill"] += 1
            yield step

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield what the student sees, from its `start`-th step on."""
        return self.method.batches(self, start)

    def _probe(self) -> Tensor | None:
        """Draw the latents of every picture, where the source has some."""
        rng = torch.Generator().manual_seed(self.seed + 1)
        return self.source.latents(SHOWN, rng) if isinstance(self.source, Generator) else None

    def probe_images(self) -> Tensor:
        """Generate 40 images with the source as it is now: of the probe, of a sheet, or the same 40 draws each time."""
        if isinstance(self.source, Generator):
            with torch.no_grad(), buffers_kept(self.source), train_mode(self.source, training=True):
                return self.source(self.probe)
        sheet = self.settings.sheet_steps
        if sheet > 1 and self.pool.filled and not self.done["synthesise"] % sheet:  # a sheet just begun is noise
            images = self.pool.images[: self.pool.filled][-SHOWN:].to(next(self.teacher.parameters()).dtype)
            return images[torch.arange(SHOWN) % len(images)]
        images = self.source.sample(SHOWN, torch.Generator().manual_seed(self.seed + 1)).images
        return images[torch.arange(SHOWN) % len(images)]

    def picture(self) -> dict[str, Tensor | int]:
        """Show what the source makes of 40 probe latents (or draws) now, and the teacher's answers.

        `steps` done, `images` uint8 (40, C, S, S), each stretched from its darkest to its brightest pixel, the
        teacher's `labels` (40,) and its `confidence` (40,) in them.
        """
        with torch.no_grad():
            batch = read(self.teacher, Batch(self.probe_images()))
        low, high = batch.images.amin((1, 2, 3), keepdim=True), batch.images.amax((1, 2, 3), keepdim=True)
        images = ((batch.images - low) / (high - low).clamp_min(1e-8) * 255).round().to(torch.uint8)
        confidence, labels = batch.probs.max(1)
        found = {"images": images, "labels": labels, "confidence": confidence}
        return {"steps": self.done["synthesise"], **{key: tensor.cpu() for key, tensor in found.items()}}

    def state(self) -> dict:
        """Return all that later steps depend on, except the pool's rows: plain tensors, numbers and strings."""
        kept = "weight", "on", "damped", "strength", "anchor"
        table = {name: {key: getattr(term, key) for key in kept} for name, term in self.objective.items()}
        latest = {} if self.latest is None else {"images": self.latest.images, "logits": self.latest.logits}
        return deepcopy(
            {
                "done": dict(self.done),
                "terms": table,
                "rng": self.rng.get_state(),
                **{part: getattr(self, part).state_dict() for part in self._parts()},
                "filled": self.pool.filled,
                "latest": latest,
            }
        )

    def restore(self, state: dict) -> None:
        """Take `state` back; the pool's rows must have been put back before."""
        for name, row in state["terms"].items():
            for key, value in row.items():
                setattr(self.objective[name], key, value)
        self.rng.set_state(state["rng"])
        for part in self._parts():
            getattr(self, part).load_state_dict(deepcopy(state[part]))
        self.latest = Batch(**{k: t.to(self.device) for k, t in state["latest"].items()}) if state["latest"] else None
        self.done, self.pool.filled = dict(state["done"]), state["filled"]

    def copy(self) -> "Distillation":
        """Return a run in the same state, which shares the teacher and the data and nothing that changes."""
        return deepcopy(self, {id(shared): shared for shared in (self.teacher, self.data, self.method)})

    def _parts(self) -> list[str]:
        """Name what has a state dict."""
        parts = ["generator", "generator_optimizer", "student", "student_optimizer", "memory"]
        return [part for part in parts if getattr(self, part) is not None]


def use_anchor(objective: Objective, rule: str) -> None:
    """Give every damped term the anchor rule named `rule`; "none" removes the damping, which leaves the plain sum."""
    if rule != "none" and rule not in ANCHORS:
        raise ValueError(f"no anchor rule {rule!r}; there are {', '.join([*ANCHORS, 'none'])}")
    for term in objective.values():
        if term.damped:
            term.damped, term.rule = rule != "none", ANCHORS.get(rule, term.rule)
