"""Read tensors by name from a safetensors file or a state dict of `torch.save`; say what any other file is.

A pickle can run code.  `torch.load(weights_only=True)` reads tensors and plain containers from one and nothing else,
and that is the only way a pickle is opened here.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

SAVE = "save the network's state dict where you trust the file: torch.save(net.state_dict(), 'weights.pt')"
BEGINNINGS = (  # of a file in lower case -> what it is, and what to do
    (b"version https://git-lfs", "a Git LFS pointer, not the weights themselves; fetch them with: git lfs pull"),
    ((b"<!doctype", b"<html"), "a web page (HTML), probably a sign-in or an error page; download the file again"),
    (b"\x89hdf", f"an HDF5 file, as Keras writes; rebuild the network in PyTorch and {SAVE}"),
    (b"\x93numpy", f"a numpy array without names; {SAVE}"),
    (b"\x1f\x8b", "packed with gzip; unpack it and give the file inside"),
)
MEMBERS = (  # the end of a name in a zip archive -> what the archive is
    ("constants.pkl", f"a TorchScript file, which holds code; {SAVE}"),
    ("archive_format", f"a program written by torch.export, which holds code; {SAVE}"),
    ("serialized_exported_program.json", f"a program written by torch.export, which holds code; {SAVE}"),
    ("model.weights.h5", f"a Keras file; rebuild the network in PyTorch and {SAVE}"),
    (".npy", f"a numpy archive (npz); {SAVE}"),
)
# Where training scripts keep a state dict, the usual choice first; others are looked at after these.
KEYS = (
    "",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "teacher",
    "module",
    "weights",
    "params",
    "ema",
)


class WeightsError(ValueError):
    """A weights file that cannot be used; the message says why and what to do."""


def read_tables(path: Path) -> dict[str, dict[str, Tensor]]:
    """Return every table of named tensors in a file, by the key it is under ("" for the file itself), best first."""
    if kind := _foreign_kind(path):
        raise WeightsError(f"{path} is {kind}")
    with open(path, "rb") as file:
        start = file.read(9)
    if path.suffix == ".safetensors" or start[8:] == b"{":
        return {"": _read_safetensors(path)}
    content = _read_torch(path)
    found = dict(_tables(content))
    if "param_groups" in (content if isinstance(content, Mapping) else ()):
        raise WeightsError(f"{path} is an optimizer's state dict (it has param_groups), not a network's; {SAVE}")
    if not found:
        what = type(content).__name__
        raise WeightsError(f"{path} holds a {what} and no tensors by name; {SAVE}")
    return {key: found[key] for key in sorted(found, key=lambda k: KEYS.index(k) if k in KEYS else len(KEYS))}


def _foreign_kind(path: Path) -> str:
    """Say what a file is that holds no state dict, and what to do; "" where it may hold one."""
    with open(path, "rb") as file:
        start = file.read(64)
    if not start:
        return "empty (0 bytes); copy or download it again"
    for beginning, kind in BEGINNINGS:
        if start.lower().lstrip().startswith(beginning):
            return kind
    if path.suffix == ".onnx":
        return (
            "an ONNX model: a graph without gradients, which no generator can be trained against; give the PyTorch "
            "network that it was exported from, or a factory that converts it (onnx2torch.convert)"
        )
    if path.suffix == ".py":
        return f"Python source, not weights; a network is named {path.stem}:FACTORY, a function that returns it"
    if path.suffix == ".json":
        return "a JSON file, perhaps the index of a model saved in shards; load all shards and " + SAVE
    if start.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except zipfile.BadZipFile:
            return "damaged or cut off (half a zip archive, as torch.save writes); copy or download it again"
        for end, kind in MEMBERS:
            if any(name.endswith(end) for name in names):
                return kind
        if not any(name.endswith("data.pkl") for name in names):
            return "a zip archive; unpack it and give the weights file inside"
    return ""


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path, device="cpu")
    except (SafetensorError, ValueError) as error:
        raise WeightsError(
            f"{path} is not a whole safetensors file ({error}); copy or download it again, or {SAVE}"
        ) from error


def _read_torch(path: Path):
    try:
        with warnings.catch_warnings(action="ignore"):  # torch has opinions on foreign pickles
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if name := re.search(r"GLOBAL (\S+)", str(error)):
            raise WeightsError(
                f"{path} is a pickle that needs {name[1]}, so it holds more than weights (a whole module, or settings "
                f"beside them); opening it could run code, so it is refused; {SAVE}"
            ) from error
        raise WeightsError(f"{path} is no file of weights, or is damaged; {SAVE}") from error
    except Exception as error:  # a foreign file can fail in any way
        raise WeightsError(
            f"{path} is damaged or cut off ({type(error).__name__}); copy or download it again"
        ) from error


def _tables(content, key: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield every mapping of names to tensors in what was read, with the keys that lead to it."""
    if not isinstance(content, Mapping):
        return
    tensors = {name: value.detach() for name, value in content.items() if isinstance(value, Tensor)}
    if tensors and all(isinstance(name, str) for name in tensors):
        yield key, tensors
    if depth < 3:
        for name, value in content.items():
            yield from _tables(value, f"{key}.{name}" if key else str(name), depth + 1)
