"""What a run refuses before its first step: a teacher that does not fit the images or the terms."""

import torch
from torch import Tensor, nn

from ..batch import Batch, read
from ..objective import Objective


def refuse_without_statistics(teacher: nn.Module, objective: Objective) -> None:
    """Refuse a teacher without BatchNorm where a term that is on needs its statistics."""
    asked = [name for name, term in objective.items() if term.on and term.weight and "bn" in term.needs]
    if asked and not any(isinstance(m, nn.BatchNorm2d) for m in teacher.modules()):
        raise ValueError(
            f"the teacher {type(teacher).__name__} has no BatchNorm2d layer, so term {asked[0]!r} has no statistics to "
            f"match; take a teacher that has (--teacher lenet5-bn), or leave the term out (--off {asked[0]})"
        )


def count_classes(teacher: nn.Module, channels: int, size: int, device) -> int:
    """Count the teacher's classes by showing it two images; refuse a teacher that cannot answer them."""
    images = torch.zeros(2, channels, size, size, device=device)
    try:
        answer = read(teacher, Batch(images)).logits
    except (RuntimeError, ValueError, TypeError) as error:
        raise ValueError(f"the teacher cannot read images of {channels} x {size} x {size}: {error}") from error
    if not isinstance(answer, Tensor) or answer.ndim != 2 or len(answer) != 2 or answer.shape[1] < 2:
        shape = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise ValueError(f"the teacher must answer N images with logits (N, K), K > 1; two images gave {shape}")
    return answer.shape[1]
