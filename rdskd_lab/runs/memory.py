"""What a run will take of the memory there is, reckoned before its first step.

A system may promise memory that it does not have, and end the process without a message when it is used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..batch import Batch
from ..distillation import Distillation
from ..generator import Generator
from ..methods import building_blocks
from ..methods.method import Method, Settings
from ..networks.foreign import warn
from ..torch_state import buffers_kept, frozen, train_mode
from .machine import available_memory, free_memory
from .run_folder import RunError

ROUND = 12_800  # images that `Pool.batches` warps at once
SET = " (--set NAME=VALUE)"


@dataclass(frozen=True)
class Need:
    """Bytes that a part of a run takes, and what lowers them."""

    what: str
    size: int
    lower: str


def needs(run: Distillation) -> list[Need]:
    """Reckon what a run will take beyond what is there now: its pool, its networks, and the largest step."""
    s, image = run.settings, run.channels * run.size**2
    row = 2 * image + 4 * run.classes
    kept = len(run.pool.images)
    bank = s.bank if s.procedural else 0
    pool = row * (kept + bank + min(ROUND, kept + bank))
    trained = sum(p.numel() for net in (run.source, run.student) for p in net.parameters())
    source, student = _step_of_source(run) * s.batch_size, _step_of_student(run) * s.student_batch_size
    return [
        Need("the images that the student learns from", pool, "generator_steps or batch_size"),
        Need("gradients and optimisers of the networks", 12 * trained, "width or latent"),
        Need("a step of the generator", source, "batch_size or width"),
        Need("a step of the student", student, "student_batch_size"),
    ]


def check_generator(method: Method, settings: Settings, channels: int, size: int, device: torch.device, how=SET):
    """Refuse a generator whose weights alone need more memory than there is, before any of them is drawn."""
    if method.source is building_blocks.generator:
        weights = settings.width * (settings.latent * (size / 4) ** 2 + 13.5 * settings.width)
        _check([Need("the generator and its optimiser", int(16 * weights), "width or latent")], how, device, 0)


def check_memory(run: Distillation, how: str = SET) -> None:
    """Refuse a run that needs more memory than there is; warn of one that needs more than is free just now.

    `how` says, at the end of the sentence, how a setting is lowered.
    """
    *kept, source, student = needs(run)
    step = max((source, student), key=lambda need: need.size)
    _check([*kept, step], how, run.device, run.pool.images.nbytes + run.pool.logits.nbytes)  # which are not used yet


# ---- private ---------------------------------------------------------------------------------------------------------


def _check(needs: list[Need], how: str, device: torch.device, reserved: int) -> None:
    total, largest = sum(need.size for need in needs), max(needs, key=lambda need: need.size)
    words = (
        f"this run needs about {_gb(total)} of memory ({_gb(largest.size)} of it for {largest.what}), and "
        f"there is {{}}; lower {largest.lower}{how}"
    )
    if device.type == "cuda":
        free, most = torch.cuda.mem_get_info(device)
        free += reserved
    else:
        most, free = free_memory(reserved), available_memory()
    if most is not None and total > most:
        raise RunError(words.format(_gb(most)))
    if free is not None and total > free:
        warn(words.format(f"{_gb(free)} free now") + ", or close other programs")


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 5e7 else f"{size / 1e6:.0f} MB"


def _step_of_source(run: Distillation) -> int:
    """Return the bytes that a step of the source keeps for its gradient, for each image."""
    if not (run.settings.generator_steps and run.objective.asks):
        return 0
    with (
        _counted(run.device, run.source, run.teacher) as kept,
        buffers_kept(run.source),
        train_mode(run.source, training=True),
    ):
        if isinstance(run.source, Generator):
            batch = run.source.sample(2, torch.Generator().manual_seed(0))
        else:
            shape = 2, run.channels, run.size, run.size
            batch = Batch(torch.zeros(shape, device=run.device, requires_grad=True))
        with frozen(run.teacher):
            answer = run.teacher(batch.images)  # which holds what is kept until it is counted
        del answer
    return sum(kept.values()) // 2


def _step_of_student(run: Distillation) -> int:
    """Return the bytes that a step of the student keeps for its gradient, for each image."""
    images = torch.zeros(2, run.channels, run.size, run.size, device=run.device)
    with _counted(run.device, run.student) as kept, buffers_kept(run.student), train_mode(run.student, training=True):
        run.student(images)
    return sum(kept.values()) // 2


@contextmanager
def _counted(device: torch.device, *nets: nn.Module) -> Iterator[dict[int, int]]:
    """Collect the bytes of the tensors that autograd keeps inside, by where they lie, without those of the networks.

    The global random numbers are as before afterwards.
    """
    kept = {}
    own = {t.untyped_storage().data_ptr() for net in nets for t in (*net.parameters(), *net.buffers())}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:  # also a weight that was transposed
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            yield kept
