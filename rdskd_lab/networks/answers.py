"""Networks as they answer: an adapter that makes logits (N, K) of what somebody's network answers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def pick_logits(answer) -> Tensor:
    """Return the tensor of logits in an answer: itself, `logits` of a dict or object, or the first of a tuple."""
    if isinstance(answer, Tensor):
        return answer
    if hasattr(answer, "keys") and hasattr(answer, "__getitem__"):
        if "logits" not in answer:
            keys = ", ".join(str(key) for key in answer.keys())
            raise ValueError(f"answers a dict with {keys}; it needs the key logits")
        found = answer["logits"]
    elif hasattr(answer, "logits"):
        found = answer.logits
    else:
        found = answer[0] if isinstance(answer, tuple | list) and answer else None
    if isinstance(found, Tensor):
        return found
    inner = f" of {type(answer[0]).__name__}" if isinstance(answer, tuple | list) and answer else ""
    raise ValueError(
        f"must answer N images with logits (N, K); two images gave {type(answer).__name__}{inner}"
        + ("; does its forward end without return?" if answer is None else "")
    )


def two_classes(z: Tensor) -> Tensor:
    """(N,) or (N, 1) logits of the second class -> (N, 2) logits, the same probabilities exactly."""
    z = z.view(len(z), 1)
    return torch.cat([0 * z, z], 1)


def log_odds(p: Tensor) -> Tensor:
    """(N,) or (N, 1) probabilities of the second class -> (N, 2) logits; 0 and 1 are moved by the least there is."""
    limits = torch.finfo(p.dtype)
    return two_classes(p.clamp_min(limits.tiny).log() - (1 - p).clamp_min(limits.eps / 2).log())


def log_probabilities(p: Tensor) -> Tensor:
    """Probabilities -> their logarithms, which are logits; an exact 0 gets the lowest logarithm that there is."""
    return p.clamp_min(torch.finfo(p.dtype).tiny).log()


TAKES = {"normalised": 0, "pixels": 1, "bytes": 255}  # the brightest pixel, where the network itself normalises
FORMS = {"logits": lambda z: z, "one logit": two_classes, "one sigmoid": log_odds, "softmax": log_probabilities}


class Answering(nn.Module):
    """Somebody's network, whose answers come as logits (N, K).  Its state dict is the network's own."""

    def __init__(self, net: nn.Module, form: str = "logits", head: str | None = ""):
        """`head` names the layer whose input is the feature; "": it is the usual one; None: there is none."""
        super().__init__()
        self.net, self.form, self.head = net, form, head
        if next(net.parameters(), None) is None:  # so that it can be asked for its device and number format
            self.empty = nn.Parameter(torch.empty(0))

    def forward(self, x: Tensor) -> Tensor:
        return FORMS[self.form](pick_logits(self.net(x)).to(x.dtype))

    def state_dict(self, *args, **kwargs):
        return self.net.state_dict(*args, **kwargs)

    def load_state_dict(self, *args, **kwargs):
        return self.net.load_state_dict(*args, **kwargs)


class FromPixels(nn.Module):
    """A network that normalises inside, shown normalised images: they are made pixels again first."""

    def __init__(self, net: nn.Module, mean: Sequence[float], std: Sequence[float], top: float = 1.0):
        """`top` is the brightest pixel that the network expects: 1, or 255."""
        super().__init__()
        self.net = net
        self.register_buffer("scale", top * torch.tensor(std).view(-1, 1, 1), persistent=False)
        self.register_buffer("shift", top * torch.tensor(mean).view(-1, 1, 1), persistent=False)

    def forward(self, x: Tensor):
        return self.net(x * self.scale + self.shift)

    def state_dict(self, *args, **kwargs):
        return self.net.state_dict(*args, **kwargs)

    def load_state_dict(self, *args, **kwargs):
        return self.net.load_state_dict(*args, **kwargs)


def adapt_input(net: nn.Module, takes: str = "normalised", mean: Sequence[float] = (), std: Sequence[float] = ()):
    """Return a network that reads normalised images, whatever `net` takes: one of TAKES.

    `mean` and `std`, of pixels in [0, 1] and per channel, are those with which the network normalises inside.
    """
    if takes not in TAKES:
        raise ValueError(f"no form of images {takes!r}; there are {', '.join(TAKES)}")
    if not TAKES[takes]:
        return net
    if not mean or len(mean) != len(std):
        raise ValueError(f"a network that takes {takes} normalises inside; give the mean and std that it uses")
    return FromPixels(net, mean, std, TAKES[takes])


def entering_head(teacher: nn.Module, entered: list, told: nn.Module | None, classes: int) -> Tensor:
    """Return what first entered the layer that was named, or the last linear one that answers a number per class."""
    layers = [layer for layer, _ in entered if told or layer.out_features == classes]
    if not layers:
        what = f"{type(teacher).__name__} runs no linear layer that answers its {classes} classes"
        raise ValueError(f"{what}; name the layer whose input is the feature (--head NAME, or head=)")
    x = next(x for layer, x in entered if layer is layers[-1])
    return x if told or x.ndim == 2 else x.flatten(1, -2).mean(1)  # of tokens: their mean
