"""A double for a GPU: a device whose tensors hold real values, say that they are not on the CPU, and refuse to meet its.

A tensor there is a wrapper around one on the CPU, so every number is the one that the CPU computes.  As on a GPU, an
operation refuses tensors of both devices (a CPU tensor of one number may meet any device, and a CPU tensor may be an
index), random numbers there refuse a generator of the CPU, and `.numpy()` needs a copy on the CPU.  Each time the host
waits for a value is counted.  What it does not show: speed, other rounding, memory, and operations that a GPU lacks.
The device is `lazy`, since a backward pass on a `cuda` without a driver fails in torch.
"""

from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = "lazy:0"
aten = torch.ops.aten
CROSSING = {aten._to_copy.default, aten.copy_.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
READING = {aten._local_scalar_dense.default, aten.equal.default, aten.nonzero.default, aten.bincount.default}
waits: list[str] = []  # operations for which the host waited, in order


class Elsewhere(Tensor):
    """A tensor on the double."""

    @staticmethod
    def __new__(cls, held: Tensor):
        how = dict(strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype, device=DEVICE)
        return Tensor._make_wrapper_subclass(cls, held.shape, **how)

    def __init__(self, held: Tensor):
        self.held = held

    def __repr__(self, **how) -> str:
        return f"{self.held!r} on the double"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec)

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return computed(function, args, kwargs or {})


class Double(TorchDispatchMode):
    """Takes what makes a tensor out of none, too."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return computed(function, args, kwargs or {})


def computed(function, args, kwargs):
    """Compute on the CPU and say where the result is."""
    tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
    there = [x for x in tensors if isinstance(x, Elsewhere)]
    told = kwargs.get("device")
    to = there != [] if told is None else torch.device(told).type == "lazy"
    if told is None and function is aten.copy_.default:
        to = isinstance(args[0], Elsewhere)
    near = [x for x in tensors if not isinstance(x, Elsewhere) and x.dim()]
    indices = tree_flatten(args[1])[0] if function in INDEXING else []
    if there and function not in CROSSING and any(all(x is not i for i in indices) for x in near):
        raise RuntimeError(f"Expected all tensors to be on the same device: {function} met {DEVICE} and cpu")
    if to and kwargs.get("generator") is not None:
        raise RuntimeError("Expected a generator of the device, but found one of the device cpu")
    if there and (function in READING or (function in CROSSING and not to)):
        waits.append(str(function))
    if told is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    inside = tree_map(lambda x: x.held if isinstance(x, Elsewhere) else x, (args, kwargs))
    out = function(*inside[0], **inside[1])
    if not to:
        return out if not there or function in CROSSING else out
    out = tree_map(lambda x: Elsewhere(x) if isinstance(x, Tensor) else x, out)
    return return_and_correct_aliasing(function, args, kwargs, out) if there else out


def numpy(tensor: Tensor, *, force: bool = False) -> np.ndarray:
    if isinstance(tensor, Elsewhere):
        raise TypeError(f"can't convert {tensor.device} tensor to numpy; use Tensor.cpu() first")
    return to_numpy(tensor, force=force)


def listed(tensor: Tensor):
    return to_list(tensor.cpu() if isinstance(tensor, Elsewhere) else tensor)


def copied(tensor: Tensor, memo: dict) -> Tensor:
    if not isinstance(tensor, Elsewhere) and not isinstance(tensor.data, Elsewhere):
        return deep_copy(tensor, memo)
    if id(tensor) not in memo:
        made = tensor.detach().clone()
        memo[id(tensor)] = nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made
    return memo[id(tensor)]


def moved(net: nn.Module, device=None, dtype=None, memory_format=None) -> nn.Module:
    def to(x):
        return x.to(device, dtype if x.is_floating_point() else None)

    for module in net.modules():
        for name, p in module._parameters.items():
            module._parameters[name] = p if p is None else nn.Parameter(to(p.detach()), p.requires_grad)
        module._buffers.update({name: to(b) for name, b in module._buffers.items()})
    return net


to_numpy, to_list, deep_copy = Tensor.numpy, Tensor.tolist, Tensor.__deepcopy__


@contextmanager
def device_double():
    """Inside: there is a device DEVICE; the list that is returned grows by what the host waited for."""
    waits.clear()
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Tensor, "numpy", numpy))
        # Its tensors have no address, by which kept ones are told apart.
        stack.enter_context(mock.patch("rdskd_lab.lab.session.experiment.check_memory", lambda run, how: None))
        stack.enter_context(mock.patch.object(Tensor, "tolist", listed))
        stack.enter_context(mock.patch.object(Tensor, "__deepcopy__", copied))
        stack.enter_context(mock.patch.object(nn.Module, "to", moved))
        stack.enter_context(mock.patch.object(nn.Module, "float", lambda net: moved(net, dtype=torch.float32)))
        stack.enter_context(mock.patch.object(nn.Module, "double", lambda net: moved(net, dtype=torch.float64)))
        stack.callback(torch._C._set_only_lift_cpu_tensors, torch._C._only_lift_cpu_tensors())
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(list, device=...) begins on the CPU and crosses
        stack.enter_context(Double())
        yield waits
