"""Weights on disk: safetensors when saved, what people have when loaded; `write_whole` never leaves half a file."""

import errno
import json
import os
import re
import sys
from difflib import get_close_matches
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor, nn

from .weight_file import WeightsError, read_tables

ASSETS = files("rdskd_lab") / "assets"
SHIPPED = {name: ASSETS / f"{name.replace('-', '_')}.safetensors" for name in ("lenet5", "lenet5-bn", "lenet5-half")}
WRAPPERS = re.compile(r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")  # torch puts in
SHOWN = 3  # names in a message


def why(error: OSError) -> str:
    """Return what the system said, in words that say what to do."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "the disk is full" if full else error.strerror or str(error)


def expand(path: Path | str) -> Path:
    """Return a path with its ~ written out."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path} needs a home folder, and none is known; set HOME, or write it without ~") from error


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
    """Write a network's state as safetensors, with `facts` in its header; the same state gives the same bytes.

    Tied weights are written under each of their names.  Extra state that is no tensor is left out, with a note.
    """
    state = net.state_dict()
    if left := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        _note(f"{path} does not keep {some(left)} of {type(net).__name__}, which is no tensor")
    content = save(
        {
            name: t.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, t in state.items()
            if name not in left
        }
    )
    if facts:  # put in by hand: safetensors writes several in an order that changes from process to process
        end = 8 + int.from_bytes(content[:8], "little")
        header = {"__metadata__": facts, **json.loads(content[8:end])}
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        content = len(text).to_bytes(8, "little") + text + content[end:]
    write_whole(path, content)


def load_weights(net: nn.Module, path: Path | str) -> nn.Module:
    """Fill `net` from a weights file or a shipped network, on whatever device either is; return it.

    Of the tables of tensors in a file the first that fits is taken, without a prefix that wrappers put before names
    ("module.", "model.").  Nothing is loaded unless all fits.
    """
    path = _find(path)
    own = {name: t for name, t in net.state_dict().items() if isinstance(t, Tensor)}
    fits = [_fit(own, key, table) for key, table in read_tables(path).items()]
    fitting = [fit for found in fits for fit in found if not fit.faults]
    if not fitting:
        best = min((fit for found in fits for fit in found), key=lambda fit: min(fit.wrong, len(own) // 2))
        raise WeightsError(
            f"{path} does not fit this {type(net).__name__}: {best.faults}; check the architecture, its "
            "channels and classes"
        )
    chosen = fitting[0]
    held = chosen.tensors  # of tied weights a file may hold one name, or each
    others = [
        fit for fit in fitting[1:] if any(not torch.equal(t, held[n]) for n, t in fit.tensors.items() if n in held)
    ]
    if others:
        _note(
            f"{path} holds several sets of weights that fit; {chosen.place} is used, not "
            f"{some([fit.place for fit in others])}"
        )
    if chosen.aside:
        _note(f"{path}: only {chosen.place} is used; left aside: {some(chosen.aside)}")
    for name, tensor in chosen.tensors.items():
        if own[name].is_floating_point() and not tensor.is_floating_point():
            raise WeightsError(
                f"{path}: {name} is {str(tensor.dtype).removeprefix('torch.')}, as in a quantised "
                "export; give weights in float32, or in half or double precision"
            )
        if not tensor.to(own[name].dtype).isfinite().all():
            raise WeightsError(f"{path}: {name} holds values that are not finite; train or save that network again")
    net.load_state_dict(chosen.tensors, strict=False)  # `_fit` has compared the names
    return net


def fingerprint(path: Path | str) -> str:
    """Return the sha256 of a weights file or of a shipped network's, in hex."""
    return sha256(_find(path).read_bytes()).hexdigest()


def fingerprint_in_memory(net: nn.Module) -> str:
    """Return the sha256 of a network's names, shapes and values, in hex; what has no values yet does not count."""
    found = sha256()
    for name, t in net.state_dict().items():
        if isinstance(t, Tensor) and not t.is_meta and not isinstance(t, nn.parameter.UninitializedTensorMixin):
            found.update(f"{name} {t.dtype} {tuple(t.shape)}\n".encode())
            found.update(t.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()


# ---- private ---------------------------------------------------------------------------------------------------------


class _Fit(NamedTuple):
    """One way to read a table of tensors for a network."""

    place: str  # the key and the prefix, for messages
    tensors: dict[str, Tensor]  # by the network's names
    aside: list[str]  # names in the file that do not begin with the prefix
    wrong: int  # names that are missing or have another shape
    faults: str  # in words; "" where it fits


def _fit(own: dict[str, Tensor], key: str, table: dict[str, Tensor]) -> list[_Fit]:
    """Compare a table with a network's names, for each prefix under which the table may hold them; at least one."""
    plain = {WRAPPERS.sub("", name): name for name in own}
    table = {WRAPPERS.sub("", name): t for name, t in table.items()}
    last = max(plain, key=lambda name: name.count("."), default="")
    shorter = [".".join(last.split(".")[k:]) for k in range(last.count(".") + 1)]  # the network may be the wrapped one
    ends = {
        (name[: -len(end)], last[: -len(end)])
        for end in shorter
        for name in table
        if end and (name == end or name.endswith(f".{end}"))
    }
    ways = sorted(ends | {("", "")}, key=lambda way: (way[1] != "", len(way[0]), way[0] != "teacher.", way))
    return [_compare(own, plain, key, table, *way) for way in ways]


def _compare(own, plain, key, table, prefix: str, wanted_prefix: str) -> _Fit:
    found = {wanted_prefix + name.removeprefix(prefix): name for name in table if name.startswith(prefix)}
    tensors = {plain[name]: table[found[name]] for name in found if name in plain}
    # Tied weights may be in the file once, and networks from before 2018 count no batches.
    held = {own[name].data_ptr() for name in tensors if own[name].numel()}
    missing = [
        name
        for name in plain.values()
        if name not in tensors and own[name].data_ptr() not in held and not name.endswith("num_batches_tracked")
    ]
    extra = [found[name] for name in found if name not in plain]
    shapes = [name for name, t in own.items() if name in tensors and tensors[name].shape != t.shape]
    faults = [
        f"{name} is missing in the file and {tuple(own[name].shape)} in the network"
        f"{_nearest(own[name], name, extra, table)}"
        for name in missing[:SHOWN]
    ]
    faults += [
        f"{name} is {tuple(tensors[name].shape)} in the file and {tuple(own[name].shape)} in the network"
        for name in shapes[:SHOWN]
    ]
    faults += [f"{name} is {tuple(table[name].shape)} in the file and unknown in the network" for name in extra[:SHOWN]]
    rest = len(missing) + len(shapes) + len(extra) - len(faults)
    words = "; ".join(faults) + (f"; and {rest} more" if rest else "")
    aside = [name for name in table if not name.startswith(prefix)]
    place = " with names that begin ".join(repr(part) for part in (key, prefix) if part) or "the file itself"
    return _Fit(place, tensors, aside, len(missing) + len(shapes), words)


def _nearest(tensor: Tensor, name: str, extra: list[str], table: dict[str, Tensor]) -> str:
    alike = [other for other in extra if table[other].shape == tensor.shape]
    close = get_close_matches(name, alike or extra, 1, 0 if alike else 0.6)
    return f" (nearest in the file: {close[0]})" if close else ""


def some(names: list[str], most: int = SHOWN) -> str:
    """List at most so many names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _note(sentence: str) -> None:
    print(f"rdskd-lab: note: {sentence}", file=sys.stderr)


def _find(name: Path | str) -> Path:
    if "://" in str(name):
        raise WeightsError(f"{name} is an address; download the file first, and give its path")
    path = expand(SHIPPED.get(str(name), name))
    if not path.exists():
        what = (
            f"{path} is a link to a file that does not exist"
            if path.is_symlink()
            else f"there is no weights file {path}"
        )
        raise WeightsError(f"{what}; shipped with rdskd-lab: {', '.join(SHIPPED)}")
    if path.is_dir():
        raise WeightsError(f"{path} is a folder; give the weights file itself")
    return path
