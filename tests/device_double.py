"""A double for a GPU: tensors that say they are on another device than the CPU, and refuse to meet the CPU's.

torch's FakeTensorMode computes shapes, types and devices but no values, and raises when two devices meet in one
operation (a CPU tensor of one number may meet any device, and a CPU tensor may be an index, as on a real GPU).  What it
cannot do stands in here: a value that is read is a 1, `.numpy()` needs a tensor on the CPU, and a module is moved by
making its parameters anew.  The device is `lazy`, since a backward pass on a `cuda` without a driver fails in torch.
"""

from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = "lazy:0"


class Ones(TorchDispatchMode):
    """Answer 1 whenever a value is read (`item`, `tolist`, `float`, `if`), and give counts a length."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._local_scalar_dense.default:
            return True if args[0].dtype is torch.bool else 1.0 if args[0].is_floating_point() else 1
        if function is torch.ops.aten.bincount.default:
            return torch.ones(
                dict(zip(("input", "weights", "minlength"), args, strict=False), **kwargs or {})["minlength"],
                dtype=torch.int64,
                device=args[0].device,
            )
        return function(*args, **kwargs or {})


def numpy(tensor: Tensor) -> np.ndarray:
    if tensor.device.type != "cpu":
        raise TypeError(f"can't convert {tensor.device} tensor to numpy; use Tensor.cpu() first")
    if tensor.requires_grad:
        raise RuntimeError("can't call numpy() on a tensor that requires grad; use tensor.detach().numpy()")
    return np.ones(tensor.shape, str(tensor.dtype).removeprefix("torch."))


def copied(tensor: Tensor, memo: dict) -> Tensor:
    if not isinstance(tensor, FakeTensor):  # the state of a random generator
        return tensor
    made = tensor.detach().clone()
    return memo.setdefault(id(tensor), nn.Parameter(made) if isinstance(tensor, nn.Parameter) else made)


def moved(net: nn.Module, device=None, dtype=None, memory_format=None) -> nn.Module:
    for module in net.modules():
        for name, p in module._parameters.items():
            module._parameters[name] = p if p is None else nn.Parameter(p.detach().to(device), p.requires_grad)
        module._buffers.update({name: b.to(device) for name, b in module._buffers.items()})
    return net


@contextmanager
def device_double():
    """Inside: tensors without values on every device.  Make all networks inside."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Tensor, "numpy", numpy))
        stack.enter_context(mock.patch.object(Tensor, "__deepcopy__", copied))
        stack.enter_context(mock.patch.object(nn.Module, "to", moved))
        stack.enter_context(FakeTensorMode())
        stack.enter_context(Ones())
        yield
