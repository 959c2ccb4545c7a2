"""One batch, filled in as it flows: a source generates it, the teacher reads it, the student answers."""

from collections.abc import Callable, Container
from dataclasses import dataclass, fields, replace

from torch import Tensor, nn
from torch.func import functional_call

from .networks.answers import Answering, entering_head
from .torch_state import frozen, train_mode


@dataclass(frozen=True)
class Batch:
    """What the terms of an objective see.  A field that nobody filled in is None."""

    images: Tensor  # (N, C, S, S)  normalised as the teacher expects
    z: Tensor | None = None  # (N, Z)  the latents of a Generator
    targets: Tensor | None = None  # (N,) or (N, K)  true labels, or what Pixels should become
    logits: Tensor | None = None  # (N, K)  the teacher's answer
    features: Tensor | None = None  # (N, D)  what enters the teacher's head
    bn: tuple[tuple[Tensor, ...], ...] = ()  # per BatchNorm2d: mean, var, running_mean, running_var, each (C,)
    student: Tensor | None = None  # (N, K)  the student's answer
    memory: object = None  # what the method remembers (`Method.memory`); a term reads it and never changes it

    @property
    def probs(self) -> Tensor:
        """The teacher's probabilities at temperature 1, (N, K)."""
        return self.logits.softmax(1)

    def map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """A copy with `change` applied to every tensor."""
        tensors = {f.name: change(v) for f in fields(self) if isinstance(v := getattr(self, f.name), Tensor)}
        return replace(self, bn=tuple(tuple(change(t) for t in layer) for layer in self.bn), **tensors)

    def detach(self) -> "Batch":
        """The same numbers without their graph."""
        return self.map(Tensor.detach)


def read(teacher: nn.Module, batch: Batch, needs: Container[str] = (), head: str | None = None) -> Batch:
    """Show `batch` to the frozen teacher; fill in its logits and, when in `needs`, its features and bn.

    Any network with `forward(x) -> logits` can be the teacher: features and BN statistics are read through hooks,
    which are gone again when this returns, as are the eval mode and the frozen parameters.  Gradients flow to the
    images if they require one, never to the teacher.  `head` names the layer whose input is the feature
    (dotted, as in `named_modules`); without it, it is the last linear layer run that answers a number per class.
    """
    bn, entered, hooks = [], [], []
    if "features" in needs:
        told = teacher.get_submodule(head) if head else find_head(teacher) if isinstance(teacher, Answering) else None
        layers = [told] if told else [m for m in teacher.modules() if isinstance(m, nn.Linear)]
        hooks += [m.register_forward_pre_hook(lambda m, args: entered.append((m, args[0]))) for m in layers]
    if "bn" in needs:

        def on_bn(layer, args):
            if args[0].ndim != 4:
                return  # a SyncBatchNorm that was a BatchNorm1d
            x = args[0].transpose(0, 1).flatten(1)  # (N, C, H, W) -> (C, N*H*W)
            bn.append((x.mean(1), x.var(1, unbiased=False), layer.running_mean, layer.running_var))

        hooks += [m.register_forward_pre_hook(on_bn) for m in teacher.modules() if has_statistics(m)]
    try:
        with frozen(teacher):
            logits = teacher(batch.images)
    finally:
        for hook in hooks:
            hook.remove()
    features = entering_head(teacher, entered, told, logits.shape[1]) if "features" in needs else None
    return replace(batch, logits=logits, features=features, bn=tuple(bn))


def watch(student: nn.Module, batch: Batch, training: bool = False) -> Batch:
    """Show `batch` to the student while the source trains; fill in its answer.

    Gradients flow to the images, never to the student.  In training mode (DFAD) its BatchNorms use the batch's
    statistics, but its running ones stay: a step of the source changes nothing in the student.
    """
    state = {name: p.detach() for name, p in student.named_parameters()}
    state |= {name: b.clone() for name, b in student.named_buffers()}
    with train_mode(student, training):
        return replace(batch, student=functional_call(student, state, (batch.images,)))


def has_statistics(layer: nn.Module) -> bool:
    """Say whether a layer is a BatchNorm of images that keeps running statistics."""
    return isinstance(layer, nn.BatchNorm2d | nn.SyncBatchNorm) and layer.running_mean is not None


def find_head(net: nn.Module) -> nn.Module | None:
    """Return the classifying head: the layer that an `Answering` names, or the last `nn.Linear` in order of modules."""
    if isinstance(net, Answering):
        return find_head(net.net) if net.head == "" else net.head and net.net.get_submodule(net.head)
    linear = [m for m in net.modules() if isinstance(m, nn.Linear)]
    return linear[-1] if linear else None
