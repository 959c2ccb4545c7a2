"""A trial's key: a hash of what decides its result, no more and no less.  Rows that were stored under it stay valid.

A term is identified by what it computes, its value and gradients on one small fixed batch.  Its name says nothing about
its formula, its source text changes with every rewording but not with a loss that it calls, and its bytecode differs
between Pythons.  An anchor rule is identified by where it puts the anchor.  What cannot be tried that cheaply (the
source of images, batches, turns, adapters, a memory) is identified by its name; what these and the loops do inside is
TRAINING_VERSION, which a test holds against the results of short runs.  A network of somebody's own is identified by
its layers, its values and what it answers, for its name, package.module:factory, says nothing about what it is.

Settings and parts with their default value are left out, so that a new one with a neutral default changes no key.
"""

import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Hashable
from copy import deepcopy
from dataclasses import fields
from functools import cache, partial

import torch

from ..batch import Batch
from ..datasets import SETS
from ..methods.method import Method
from ..networks.answers import pick_logits
from ..networks.architectures import NETWORKS
from ..networks.registry import is_foreign, make_teacher, weights_of
from ..networks.weights import SHIPPED, expand, fingerprint, fingerprint_in_memory
from ..objective import Objective, Term
from ..runs.config import Config, resolve
from ..torch_state import seeded, train_mode

TRAINING_VERSION = 1  # raise it when the same settings give another result: every stored row is then measured again


def key_of(config: Config, measure: Callable) -> str:
    """Hash what decides the result of `measure` on a run: 16 hexadecimal digits, the same in every process."""
    setup = resolve(config)
    config, method, settings = setup.config, setup.method, setup.settings
    weights = weights_of(config.teacher, config.weights)
    setup.find_code()
    usual = SETS.get(config.data, SETS["digits"])  # of a folder nothing is known before it is read
    form = config.channels or usual.channels, config.size or usual.size
    nets = {"teacher": (config.teacher, config.weights, 0), "student": (setup.student, "", config.seed)}
    facts = {
        "training": TRAINING_VERSION,
        "measure": measure.__name__,
        "seed": config.seed,
        "data": config.data,
        # a bare weights file is a LeNet-5's, so neither its name nor where it lies decides anything
        "teacher": config.teacher if is_foreign(config.teacher) or config.teacher in NETWORKS else "lenet5",
        "weights": _bytes_of(weights, _now(weights)) if weights else "",
        "student": setup.student,
        "images": _changed(config, "channels", "size", "classes", "mean", "std", "takes", "head", "from_run"),
        "settings": _changed(settings, *(f.name for f in fields(settings) if f.name != "weights")),
        "parts": _parts(method),
        "terms": _table(setup.objective, method.terms),
        "student terms": _table(method.student(settings.temperature), method.student, settings.temperature),
    } | {f"{who}'s code": _made(_now(net[1], net[0]), *net, *form) for who, net in nets.items() if is_foreign(net[0])}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _made(_when: tuple, name: str, weights: str, seed: int, channels: int, size: int) -> list:
    """Identify a network of somebody's own by its layers, its values, and its answers to two fixed images."""

    def identify() -> list:
        net = make_teacher(name, weights, None)
        layers = re.sub(r" at 0x\w+", "", repr(net))
        try:
            with torch.no_grad(), train_mode(deepcopy(net).double(), training=False) as exact:
                answer = pick_logits(exact(_numbers(100, 2, channels, size, size)))
            answers = [round(number, 6) + 0.0 for number in answer.flatten().tolist()]  # and no -0.0
        except Exception:  # any: of somebody's code, which may know no float64, or images of another format alone
            answers = []
        return [layers, fingerprint_in_memory(net), answers]

    return seeded(seed, identify)


def _changed(record, *names: str) -> dict:
    """Those fields of a dataclass that differ from their defaults."""
    return {name: value for name in names if (value := getattr(record, name)) != getattr(type(record), name)}


def _parts(method: Method) -> list:
    """Name the parts of a method that are not the default ones.  Its tables are identified by what they compute."""
    names = [f.name for f in fields(method) if f.name not in ("terms", "student", "presets", "real_images", "seen")]
    return sorted((_name(part) for part in _changed(method, *names).values()), key=str)


def _name(part):
    """A part's name, without its module, so that moving it changes no key.  A test keeps the names apart."""
    if isinstance(part, tuple):
        return [_name(p) for p in part]
    if isinstance(part, partial):
        return [_name(part.func), list(part.args), part.keywords]
    if "<lambda>" in part.__qualname__:
        raise ValueError(f"{part.__qualname__} is a part of a method: define it by `def`, for studies know it by name")
    return part.__qualname__


def _table(objective: Objective, table: Callable[..., Objective], *given) -> list:
    """Every term of a table as it is used here, with its formula as `table(*given)` has it."""
    formula = _computed(table, *given)
    return [
        [name, formula[name], t.weight, t.on, _damping(t), t.anchor, sorted(t.needs)] for name, t in objective.items()
    ]


def _damping(term: Term) -> str | list:
    """How a term is damped.  Its strength stands there only where it is not the released code's."""
    moved = _moved(term.rule) if term.damped and term.strength else "plain"
    return moved if moved == "plain" or term.strength == 1 else [moved, term.strength]


@cache
def _moved(rule: Callable) -> str:
    """A hash of where a rule puts the anchor after each of 250 steps, if it was 1 and the term's value is 2."""
    return hashlib.sha256(repr([round(rule(i, 2.0, 1.0), 6) for i in range(250)]).encode()).hexdigest()[:16]


@cache
def _computed(table: Callable[..., Objective], *given) -> dict[str, list]:
    return {name: _on_fixed_batch(term) for name, term in table(*given).items()}


def _on_fixed_batch(term: Term) -> list:
    """A term's value and the norms of its gradients, to 6 decimals; its name where it needs what is not there."""
    try:
        batch = _fixed_batch()
        leaves = {name: t for name, t in vars(batch).items() if isinstance(t, torch.Tensor)}
        leaves |= {f"bn {i}.{j}": t for i, layer in enumerate(batch.bn) for j, t in enumerate(layer)}
        loss = term.measure(batch)
        slopes = [None] * len(leaves)
        if loss.requires_grad:
            slopes = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    except (AttributeError, TypeError, ValueError, LookupError, RuntimeError):
        return [_name(term.measure)]
    norms = {name: slope.norm().item() for name, slope in zip(leaves, slopes, strict=True) if slope is not None}
    return [round(loss.item(), 6), {name: round(norm, 6) for name, norm in norms.items()}]


def _fixed_batch() -> Batch:
    """Four images, three classes, every field filled in without random numbers, in float64."""

    shapes = [(4, 1, 4, 4), (4, 5), (4, 3), (4, 6), (4, 3), *[(3,)] * 8, (4, 3)]
    images, z, logits, features, student, *bn, targets = (_numbers(100 * n, *s) for n, s in enumerate(shapes, 1))
    bn = tuple((a, b.exp(), c, d.exp()) for a, b, c, d in (bn[:4], bn[4:]))
    given = dict(z=z, targets=targets.softmax(1), logits=3 * logits, features=features, bn=bn, student=student)
    return Batch(images, **given).map(lambda t: t.detach().requires_grad_())


def _numbers(begin: int, *shape: int) -> torch.Tensor:
    """Fill a float64 tensor without random numbers."""
    return torch.arange(begin, begin + math.prod(shape), dtype=torch.float64).sin().view(shape)


def _now(weights: str, name: str = "") -> tuple:
    """What changes when a weights file is written anew, or the module of somebody's network is loaded anew."""
    module, _, factory = name.partition(":")
    code, file = getattr(sys.modules.get(module), factory, None), expand(SHIPPED.get(weights, weights))
    written = (stat.st_ino, stat.st_mtime_ns, stat.st_size) if file.is_file() and (stat := file.stat()) else ()
    return code if isinstance(code, Hashable) else None, written


@cache  # a plan asks for the same few files again and again
def _bytes_of(weights: str, _when: tuple) -> str:
    return fingerprint(weights)
