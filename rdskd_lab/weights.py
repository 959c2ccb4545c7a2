"""Weights on disk, as data: safetensors in, safetensors out, never a pickle.  And the files that are written whole."""

import os
import tempfile
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

SHIPPED = {"lenet5": files("rdskd_lab") / "assets" / "lenet5.safetensors"}


class WeightsError(ValueError):
    """A weights file that cannot be used; the message says why and what to do."""


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in its place: `path` is old, or new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        write(Path(name))
        with open(name, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def save_weights(net: nn.Module, path: Path, **facts: str) -> None:
    """Write a network's state as safetensors, with `facts` (strings) in its header."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in net.state_dict().items()}
    write_whole(Path(path), lambda part: save_file(tensors, part, facts))


def load_weights(net: nn.Module, path: Path | str) -> nn.Module:
    """Fill `net` from a safetensors file, on whatever device it was saved, wherever `net` lives."""
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}")
    try:
        tensors = load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path} is not a whole safetensors file ({error}). A pickled .pt file is never opened, since that can run "
            "code: load it where you trust it and save its state_dict with safetensors.torch.save_file"
        ) from error
    wanted = {name: tuple(t.shape) for name, t in net.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in tensors.items()}
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise WeightsError(
                f"{path} does not fit a {type(net).__name__}: {name} is {found.get(name, 'missing')} in the file "
                f"and {wanted.get(name, 'unknown')} in the network; check the architecture, its channels and classes"
            )
    net.load_state_dict(tensors)
    return net


def fingerprint(path: Path | str) -> str:
    """sha256 of a file, in hex."""
    return sha256(Path(path).read_bytes()).hexdigest()
