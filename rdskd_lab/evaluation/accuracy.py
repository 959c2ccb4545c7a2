"""How good a network is on real images: accuracy, agreement with the teacher, confusion.

Means of two lists of answers, so no run needs an extra package for them; a test holds each against torchmetrics.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..datasets import Split
from ..networks.answers import pick_logits
from ..torch_state import frozen


@torch.no_grad()
def logits_of(net: nn.Module, parts: Iterable[Tensor]) -> Tensor:
    """What `net`, in eval mode, answers to images that come in parts, (N, K).  Its modes are as before afterwards."""
    with frozen(net):
        return torch.cat([pick_logits(net(images)) for images in parts])


def answers(net: nn.Module, split: Split) -> Tensor:
    """The class that `net` gives each image of a split, (N,) on the CPU."""
    first = next(net.parameters(), torch.empty(0))  # whose device and number format the images take
    logits = logits_of(net, (images.to(first) for images, _ in split.batches(250, first.device)))
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(f"the network answers {tuple(logits.shape)}; give one with a number for each class, (N, K)")
    return logits.argmax(1).cpu()


def accuracy(net: nn.Module, split: Split) -> float:
    """Share of a split that `net` classifies as its labels say, in [0, 1]."""
    return (answers(net, split) == split.labels).float().mean().item()


def compare(teacher: nn.Module, student: nn.Module, split: Split) -> dict:
    """Both networks on one split: accuracy, agreement, recall, confusion (teacher's row, student's column)."""
    classes = len(split.classes)
    t, s = answers(teacher, split), answers(student, split)
    if (most := int(torch.cat([t, s]).max())) >= classes:
        raise ValueError(f"a network answers class {most}, and {split.name} has {classes} classes, from 0")
    return {
        "test_images": len(split),
        "teacher_accuracy": (t == split.labels).float().mean().item(),
        "student_accuracy": (s == split.labels).float().mean().item(),
        "agreement": (t == s).float().mean().item(),
        "per_class_recall": {name: _recall(a, split.labels, classes) for name, a in (("teacher", t), ("student", s))},
        "confusion": torch.bincount(t * classes + s, minlength=classes**2).view(classes, classes).tolist(),
        "classes": list(split.classes),
    }


def _recall(answer: Tensor, labels: Tensor, classes: int) -> list[float | None]:
    """Share of each class's images that were recognised; None for a class without images."""
    return [(answer[labels == k] == k).float().mean().item() if (labels == k).any() else None for k in range(classes)]
