"""Change something for a moment and put it back, whatever happens in between."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def train_mode(net: nn.Module, training: bool) -> Iterator[nn.Module]:
    """Inside: every module in training or eval mode.  Outside: each as it was."""
    modes = [(m, m.training) for m in net.modules()]
    try:
        yield net.train(training)
    finally:
        for m, training in modes:
            m.training = training


@contextmanager
def frozen(net: nn.Module) -> Iterator[nn.Module]:
    """Inside: eval mode, and no parameter requires a gradient.  Outside: each as it was."""
    asking = [p for p in net.parameters() if p.requires_grad]
    try:
        for p in asking:
            p.requires_grad_(False)
        with train_mode(net, training=False):
            yield net
    finally:
        for p in asking:
            p.requires_grad_(True)


@contextmanager
def buffers_kept(net: nn.Module) -> Iterator[nn.Module]:
    """Inside: a forward pass may move running statistics.  Outside: every buffer as it was."""
    kept = [(b, b.clone()) for b in net.buffers()]
    try:
        yield net
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)


def seeded(seed: int, build, *args, **settings):
    """Build a network whose initial weights depend on `seed` alone; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(*args, **settings)
