"""Weights on disk as safetensors, never as a pickle; and `write_whole`, which never leaves half a file."""

import errno
import json
import os
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

ASSETS = files("rdskd_lab") / "assets"
SHIPPED = {name: ASSETS / f"{name.replace('-', '_')}.safetensors" for name in ("lenet5", "lenet5-bn", "lenet5-half")}


class WeightsError(ValueError):
    """A weights file that cannot be used; the message says why and what to do."""


def why(error: OSError) -> str:
    """Return what the system said, in words that say what to do."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "the disk is full" if full else error.strerror or str(error)


def write_whole(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` through a file beside it, so that `path` is as it was, or new and whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # which a failing write does not say
        raise
    finally:
        part.unlink(missing_ok=True)


def save_weights(net: nn.Module, path: Path | str, **facts: str) -> None:
    """Write a network's state as safetensors, with `facts` in its header; the same state gives the same bytes."""
    content = save({name: t.detach().cpu().contiguous() for name, t in net.state_dict().items()})
    if facts:  # put in by hand: safetensors writes several in an order that changes from process to process
        end = 8 + int.from_bytes(content[:8], "little")
        header = {"__metadata__": facts, **json.loads(content[8:end])}
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        content = len(text).to_bytes(8, "little") + text + content[end:]
    write_whole(path, content)


def load_weights(net: nn.Module, path: Path | str) -> nn.Module:
    """Fill `net` from a safetensors file or a shipped network, on whatever device either is; return it."""
    path = _find(path)
    try:
        tensors = load_file(path, device="cpu")
    except (SafetensorError, ValueError) as error:
        raise WeightsError(
            f"{path} is not a whole safetensors file ({error}). A pickled .pt file is never opened, since that can run "
            "code: load it where you trust it and save its state_dict with safetensors.torch.save_file"
        ) from error
    wanted = {name: tuple(t.shape) for name, t in net.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in tensors.items()}
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise WeightsError(
                f"{path} does not fit this {type(net).__name__}: {name} is {found.get(name, 'missing')} in the file "
                f"and {wanted.get(name, 'unknown')} in the network; check the architecture, its channels and classes"
            )
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise WeightsError(f"{path}: {name} holds values that are not finite; train or save that network again")
    net.load_state_dict(tensors)
    return net


def fingerprint(path: Path | str) -> str:
    """Return the sha256 of a weights file or of a shipped network's, in hex."""
    return sha256(_find(path).read_bytes()).hexdigest()


def _find(name: Path | str) -> Path:
    path = Path(SHIPPED.get(name, name))
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}; shipped with rdskd-lab: {', '.join(SHIPPED)}")
    return path
