"""Networks by name: ours, shipped or trained by you, and those that somebody else has written."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from .architectures import NETWORKS, LeNet5
from .foreign import describe_error, line_of
from .weights import SHIPPED, WeightsError, expand, load_weights

# The pairs of the papers, and one of the same family for a CPU.  A teacher by any other name is paired with WRN-16-1,
# which takes every size and number of channels.
PAIRS = {
    "lenet5": "lenet5-half",
    "lenet5-bn": "lenet5-half",
    "lenet5-half": "lenet5-half",
    "wrn-40-2": "wrn-16-1",
    "wrn-16-2": "wrn-16-1",
    "resnet34": "resnet18",
}

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".tar", ".onnx", ".h5", ".npz")  # of weights files
WITH_BATCHNORM = {"lenet5": "lenet5-bn"}  # a shipped network -> the shipped one that has BatchNorm statistics


class Shape(NamedTuple):
    """The format of a network's input and output: images (N, channels, size, size), answers (N, classes)."""

    channels: int
    size: int
    classes: int


def is_foreign(name: str) -> bool:
    """Say whether a name has the form package.module:factory, which is somebody else's network."""
    module, colon, factory = name.partition(":")
    return bool(colon) and factory.isidentifier() and not Path(name).exists()


def make_teacher(name: str, weights: str, shape: Shape) -> nn.Module:
    """Return a trained teacher: shipped, one of NETWORKS with weights, a LeNet-5's file, or package.module:factory."""
    if meant := _meant_factory(name):
        raise WeightsError(f"{name} is no weights file; a network of yours is package.module:factory: {meant}")
    if is_foreign(name):
        net = _made_by(name)
        return load_weights(net, weights) if weights else net
    if name in NETWORKS and name not in SHIPPED and not weights:
        raise WeightsError(
            f"no {name} is shipped; give its --weights (rdskd-lab train-teacher --network {name} makes them)"
        )
    net = NETWORKS.get(name, LeNet5)(shape.channels, shape.classes)
    return load_weights(net, weights or name)


def shipped_teacher(needs: Iterable[str], usual: str = "lenet5") -> str:
    """Return the shipped teacher for terms that need `needs`: `usual`, or the one like it that has BatchNorm."""
    return WITH_BATCHNORM.get(usual, usual) if "bn" in needs else usual


def weights_of(name: str, weights: str) -> str | None:
    """Return the teacher's weights file, or the shipped name, if there is one."""
    return weights or (None if is_foreign(name) else name)


def student_of(teacher: str, name: str = "pair") -> str:
    """Return the student's name: `name`, or what belongs to the teacher.  A bare weights file is a LeNet-5's."""
    if name != "pair":
        return name
    return PAIRS.get(teacher, "wrn-16-1" if is_foreign(teacher) or teacher in NETWORKS else "lenet5-half")


def make_student(name: str, shape: Shape) -> nn.Module:
    """Return an untrained student: one of NETWORKS, or package.module:factory."""
    if is_foreign(name):
        return _made_by(name)
    if name not in NETWORKS:
        raise WeightsError(f"no student {name!r}; there are {', '.join(NETWORKS)}, or package.module:factory")
    if name.startswith("lenet") and shape.size != 32:
        raise WeightsError(f"{name} takes images of 32 x 32, not {shape.size} x {shape.size}; try --student wrn-16-1")
    return NETWORKS[name](shape.channels, shape.classes)


def _meant_factory(name: str) -> str:
    """Return how a factory is written that somebody named by a dot, a path or with brackets, or nothing."""
    if name in NETWORKS or name in SHIPPED or expand(name).exists() and not name.endswith(".py"):
        return ""
    module, _, factory = name.removesuffix("()").partition(":")
    module = module.removesuffix(".py").replace(os.sep, ".").strip(".")
    if not factory and name.endswith(".py"):
        factory = "FACTORY"
    elif not factory:
        module, _, factory = module.rpartition(".")
    suffix = "." + name.rpartition(".")[2]
    words = [*module.split("."), factory]
    meant = f"{module}:{factory}"
    return meant if all(w.isidentifier() for w in words) and suffix not in SUFFIXES and meant != name else ""


def _made_by(name: str) -> nn.Module:
    """Return what package.module:factory gives when called; the working directory is searched too.

    What the module does to the whole process (number format, gradients on or off, working directory) is undone.
    """
    module, _, factory = name.partition(":")
    folder, usual = os.getcwd(), torch.get_default_dtype()
    sys.path.insert(0, "")
    try:
        with torch.enable_grad():
            found = _imported(name, module)
            try:
                make: Callable = getattr(found, factory)
            except AttributeError as error:
                raise WeightsError(_not_there(name, found, factory)) from error
            net = make if isinstance(make, nn.Module) else _called(name, make)
    finally:
        sys.path.remove("")
        os.chdir(folder)
        torch.set_default_dtype(usual)
    if isinstance(net, Mapping) and net:
        raise WeightsError(f"{name} returned a state dict; return a network, and give the weights by --weights")
    if net is None:
        raise WeightsError(f"{name} returned None; does it end without return?")
    if not isinstance(net, nn.Module):
        what = f"a class, {net.__name__}" if isinstance(net, type) else type(net).__name__
        raise WeightsError(f"{name} must give a torch.nn.Module; it gave {what}")
    return net


def _imported(name: str, module: str):
    """Import a module of somebody's; what happens in it ends in a sentence."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module + ".").startswith(error.name + "."):
            raise WeightsError(
                f"cannot find {name} ({error}); it should be package.module:factory, in the working directory or "
                "where PYTHONPATH says"
            ) from error
        raise WeightsError(f"{describe_error(error)} while {module} was imported") from error
    except SystemExit as error:
        raise WeightsError(
            f"{line_of(error) or module} ended the program (sys.exit) while {module} was imported; put what only a "
            'script does under if __name__ == "__main__"'
        ) from error
    except Exception as error:
        raise WeightsError(f"{describe_error(error)} while {module} was imported") from error


def _not_there(name: str, module, factory: str) -> str:
    """Say that a module has no such factory: the nearest name, or that the module is another than was meant."""
    file = getattr(module, "__file__", None) or "built in"
    if (Path.cwd() / f"{module.__name__}.py").exists() and Path(file).parent != Path.cwd():
        return f"{module.__name__} is another module (Python's own or a package's: {file}); rename yours"
    close = get_close_matches(factory, vars(module), n=1)
    near = f". Did you mean {module.__name__}:{close[0]}?" if close else ""
    return f"cannot find {name} ({file} has no {factory}); it should be package.module:factory{near}"


def _called(name: str, make: Callable):
    """Call somebody's factory without arguments; what happens in it ends in a sentence."""
    try:
        return make()
    except TypeError as error:
        where = f" ({line})" if (line := line_of(error)) else ""
        raise WeightsError(f"{name} must give a network when called without arguments: {error}{where}") from error
    except SystemExit as error:
        raise WeightsError(f"{name} ended the program (sys.exit, {line_of(error)}); return a network") from error
    except Exception as error:
        raise WeightsError(f"{name} raised {describe_error(error)}") from error
