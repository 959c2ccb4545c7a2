"""What is asked of a run (`Config`), and what it is made of (`resolve(config)`, once; all else takes its result)."""

import math
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch import nn

from .. import __version__
from ..datasets import SETS, SPLITS, Split, load
from ..distillation import Distillation, use_anchor
from ..evaluation.accuracy import answers
from ..methods.checks import check_settings, known
from ..methods.method import Method, Settings
from ..methods.procedural_images import dead_leaves
from ..methods.registry import METHODS
from ..networks.answers import TAKES, adapt_input
from ..networks.architectures import NETWORKS
from ..networks.foreign import warn
from ..networks.registry import Shape, is_foreign, make_student, make_teacher, shipped_teacher, student_of
from ..networks.weights import SHIPPED, expand
from ..objective import ANCHORS, STRONGEST, Objective
from ..torch_state import seeded
from .run_folder import FORMAT, NO_DATA, RunError, check_format, read_json

PATHS = ("data", "teacher", "weights", "from_run")  # fields that may name a file
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


@dataclass(frozen=True)
class Config:
    """Everything that decides a run's result, and its device."""

    method: str = "rdskd"
    preset: str = "classroom"
    data: str = "digits"  # "": none for somebody else's teacher, else digits
    seed: int = 0
    teacher: str = ""  # one of NETWORKS, a LeNet-5's file, or package.module:factory; "": the shipped one that suits
    weights: str = ""  # the teacher's safetensors file; "": the shipped one
    student: str = "pair"  # one of NETWORKS or package.module:factory; "pair": what belongs to the teacher
    channels: int = 0  # what a teacher of one's own expects; 0 and (): as the data are
    size: int = 0
    classes: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    takes: str = "normalised"  # what the teacher is shown: one of TAKES
    head: str = ""  # the teacher's layer whose input is the feature; "": the one that is found
    off: tuple[str, ...] = ()
    weight: tuple[tuple[str, float], ...] = ()
    anchor: str = ""  # one of ANCHORS, or none (no damping); "": the rules of the method's own table
    strength: float = 1.0  # of the damping; 1: the method's own, which is the released code's
    change: tuple[tuple[str, str], ...] = ()  # settings that differ from the preset's
    device: str = "auto"
    folder: str = ""  # where package.module:factory is looked for beside the working directory
    from_run: str = ""  # the folder of a run whose generator is used as it is
    budget: str = ""  # what the steps were chosen for, by `compare`; a note that decides nothing


@dataclass(frozen=True)
class Setup:
    """What one run is made of.  Its objective is its own, since training moves the anchors."""

    config: Config  # as it was given, with the teacher's name filled in and absolute paths
    method: Method
    settings: Settings
    objective: Objective
    student: str  # the network's name

    def load(self, split: str) -> Split:
        """Read a split of the data as the teacher expects it."""
        config = self.config
        if config.data == NO_DATA:
            return self._procedural(split)
        expected = {name: getattr(config, name) for name in ("channels", "size", "mean", "std")}
        found = load(config.data, split, **{name: value for name, value in expected.items() if value})
        if config.classes not in (0, len(found.classes)):
            raise RunError(f"{config.data} has {len(found.classes)} classes, and --classes says {config.classes}")
        return found

    def _procedural(self, split: str) -> Split:
        """Draw procedural images in the place of a test set; their labels are the teacher's to give."""
        if split == "train":
            raise RunError(f"{self.config.method} learns from real images, and --data {NO_DATA} has none; give --data")
        channels, size, classes = (getattr(self.config, name) for name in ("channels", "size", "classes"))
        rng = torch.Generator().manual_seed(SPLITS.index(split))
        parts = max(1, min(10, 10 * 32**2 // size**2))
        images = torch.cat([dead_leaves(100, channels, size, rng) for _ in range(parts)])
        usual = (tuple(f(images, (0, 2, 3)).tolist()) for f in (torch.mean, torch.std))
        mean, std = (given or own for given, own in zip((self.config.mean, self.config.std), usual, strict=True))
        if {len(mean), len(std)} != {channels}:
            raise RunError(f"give {channels} number(s) as --mean and as --std, one per channel, not {mean} and {std}")
        labels = torch.zeros(len(images), dtype=torch.long)
        names = tuple(map(str, range(classes)))
        return Split((images * 255).round().byte(), labels, mean, std, names, f"procedural {split}")

    def labelled(self, teacher: nn.Module, split: Split) -> Split:
        """Return a split with labels: the teacher's answers where there are no data."""
        return replace(split, labels=answers(teacher, split)) if self.config.data == NO_DATA else split

    def find_code(self) -> None:
        """Let the modules of somebody's own networks be found in the folder that is recorded for them."""
        own = is_foreign(self.config.teacher) or is_foreign(self.student)
        if own and self.config.folder not in sys.path:
            sys.path.append(self.config.folder)

    def networks(self, test: Split) -> tuple[nn.Module, nn.Module]:
        """Return the trained teacher, and a student with the initial weights that the seed gives."""
        shape = Shape(*test.images.shape[1:3], len(test.classes))
        self.find_code()
        teacher = make_teacher(self.config.teacher, self.config.weights, shape)
        teacher = adapt_input(teacher, self.config.takes, test.mean, test.std)
        return teacher, seeded(self.config.seed, make_student, self.student, shape)


def resolve(config: Config) -> Setup:
    """Look up and check everything that `config` names, but for data, files and device."""
    method = METHODS[known("method", config.method, METHODS)]
    settings = _settings(config, method)
    objective = method.objective(settings)
    if not config.data:
        config = replace(config, data=NO_DATA if is_foreign(config.teacher) else "digits")
    if not config.teacher:
        usual = SETS[config.data].teacher if config.data in SETS else "lenet5"
        if not usual:
            make = f"rdskd-lab train-teacher --data {config.data} --network wrn-16-2 --out FILE"
            raise RunError(f"no teacher for {config.data} is shipped; give --teacher NAME --weights FILE ({make})")
        config = replace(config, teacher=shipped_teacher(objective.needs, usual))
    config = with_absolute_paths(config)
    if is_foreign(config.teacher):
        expected = ("channels", "size", "classes") + ("mean", "std") * (config.data != NO_DATA)
        if missing := [f"--{name}" for name in expected if not getattr(config, name)]:
            raise RunError(
                f"the input format of {config.teacher} is unknown; give {', '.join(missing)} "
                "(for MNIST at 28 pixels: --channels 1 --size 28 --classes 10 --mean 0.1307 --std 0.3081)"
            )
    if config.channels not in (0, 1, 3):
        raise RunError(f"images have 1 or 3 channels, not {config.channels}")
    if 0 < config.size < 8:
        raise RunError(f"images are squares of 8 x 8 pixels and more, not {config.size} x {config.size}")
    known("form of images", config.takes, TAKES)
    if config.mean and not any(config.mean) and set(config.std) == {1}:
        warn(
            "--mean 0 --std 1 is for a teacher whose pixels are not normalised at all; if it normalises inside, give "
            "the --mean and --std that it uses, and --takes pixels"
        )
    if config.data == NO_DATA and not (config.channels and config.size and config.classes):
        if config.teacher not in SHIPPED:
            raise RunError(f"with --data {NO_DATA} give --channels, --size and --classes of the teacher")
        usual = dict(channels=SETS["digits"].channels, size=SETS["digits"].size, classes=len(SETS["digits"].classes))
        config = replace(config, **{name: getattr(config, name) or value for name, value in usual.items()})
    for name, low in ("mean", -math.inf), ("std", 0):
        given = getattr(config, name)
        if not all(low < value < 2 for value in given):  # of pixels in [0, 1]
            raise RunError(
                f"--{name} {','.join(f'{value:g}' for value in given)} cannot be: it is of pixel values in [0, 1], "
                "so divide numbers for 0 to 255 by 255" + ", and it is above 0" * (name == "std")
            )
    if not 0 <= config.seed < 2**31:
        raise RunError(f"the seed must be from 0 to {2**31 - 1}, not {config.seed}")
    if config.anchor:
        use_anchor(objective, known("anchor rule", config.anchor, (*ANCHORS, "none")))
    else:
        config = replace(config, anchor=_rule_of(objective))
    if not 0 <= config.strength <= STRONGEST:
        raise RunError(f"the strength of damping is between 0 and {STRONGEST:g}, not {config.strength}")
    for term in objective.values():
        if term.damped and config.strength != 1:
            term.strength = config.strength
    for name in config.off:
        objective[known("term", name, objective)].on = False
    for name, value in config.weight:
        if not math.isfinite(value):
            raise RunError(f"the weight of {name} must be a finite number, not {value}")
        objective[known("term", name, objective)].weight = value
    return Setup(config, method, settings, objective, student_of(config.teacher, config.student))


def _rule_of(objective: Objective) -> str:
    """Name the anchor rule that all damped terms share; "" where they differ, or have one of somebody's own."""
    names = {rule: name for name, rule in ANCHORS.items()}
    found = {names.get(term.rule, "") for term in objective.values() if term.damped} or {"epoch"}
    return found.pop() if len(found) == 1 else ""


def with_absolute_paths(config: Config) -> Config:
    """Return `config` with files that exist by their full paths, and the folder in which its modules are."""

    def full(name: str) -> str:
        named = not name or name in (*SETS, *NETWORKS, NO_DATA)
        return name if named or not (path := expand(name)).exists() else str(path.absolute())

    folder = config.folder or str(Path.cwd()) * any(map(is_foreign, (config.teacher, config.student)))
    paths = {name: full(getattr(config, name)) for name in PATHS}
    return replace(config, folder=folder, **paths)


def _settings(config: Config, method: Method) -> Settings:
    """Return the preset's settings with the run's changes."""
    settings, changed = method.presets[known("preset", config.preset, method.presets)], {}
    names = [field.name for field in fields(settings) if field.name != "weights"]  # which --weight changes
    for name, value in config.change:
        kind = type(getattr(settings, known("setting", name, names)))
        try:
            changed[name] = {"true": True, "false": False}[str(value).lower()] if kind is bool else kind(value)
        except (ValueError, KeyError):
            raise RunError(f"setting {name} takes {KINDS[kind]}, not {value!r}") from None
    return check_settings(replace(settings, **changed), generates=bool(method.terms()))


# ---- config.json -----------------------------------------------------------------------------------------------------


def describe(setup: Setup, run: Distillation, fingerprint: str) -> dict:
    """Return what config.json says of a run: all that was asked for, and what it amounts to."""
    config = setup.config
    rules = {rule: name for name, rule in ANCHORS.items()}
    terms = {
        name: {"weight": t.weight, "on": t.on, "damped": t.damped}
        | {"rule": rules.get(t.rule, "its own") if t.damped else "none"}
        | ({"strength": t.strength} if t.strength != 1 else {})  # left out at 1, as in runs that are older
        for name, t in run.objective.items()
    }
    teacher = {"name": config.teacher, "sha256": fingerprint}  # of its state in memory
    facts = {"format": FORMAT, "version": __version__, **asdict(config), "teacher": teacher}
    return {**facts, "student_network": setup.student, "settings": asdict(run.settings), "terms": terms}


NEWER = {"budget": "", "folder": "", "takes": "normalised", "head": "", "from_run": "", "strength": 1.0}


def read_facts(out: Path | str) -> dict:
    """Return what config.json says of the run in folder `out`, with NEWER's where the run is older."""
    path = Path(out) / "config.json"
    if not path.is_file():
        raise RunError(f"there is no run in {out}, for it has no config.json; give a run's folder")
    return NEWER | read_json(path)


def read_config(out: Path | str) -> Config:
    """Return the configuration of the run in folder `out`."""
    path, facts = Path(out) / "config.json", read_facts(out)
    try:
        check_format(path, facts["format"], facts["version"])
        kept = {field.name: facts[field.name] for field in fields(Config)}
        kept |= {"teacher": facts["teacher"]["name"]}
        kept |= {name: tuple(kept[name]) for name in ("mean", "std", "off")}
        kept |= {name: tuple(map(tuple, kept[name])) for name in ("weight", "change")}
        return Config(**kept)
    except (KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error!r}); put it back as it was, or start in a new folder") from error


def check_code(config: Config, out: Path | str, given: Iterable[str] = (), instead: str = "") -> Config:
    """Refuse a run in folder `out` whose config.json names code that is not the working directory's, or lies in `out`.

    Somebody else may have written all of the folder, and such a network is imported and run.  One that is `given` on
    the command line is not the run's.  Returns `config` with no other folder to look for modules in.
    """
    here, own = Path.cwd(), Path(config.folder) == Path.cwd()
    for name in (getattr(config, who) for who in ("teacher", "student") if who not in given):
        package = (here / name.partition(":")[0].partition(".")[0]).resolve()
        apart = own and Path(out).resolve() != here.resolve() and not Path(out).resolve().is_relative_to(package)
        if is_foreign(name) and not apart:
            raise RunError(
                f"the run in {out} names {name} in the folder {config.folder!r}, and this code would run with all your "
                "permissions; if you trust it, run the command in that folder, which must not be the run's own"
                f"{instead}"
            )
    return config if own else replace(config, folder="")


def check_same(config: Config, given: dict) -> None:
    """Refuse what is `given` beside --resume if the run was started with another value, and name both."""

    def compare(option: str, wanted, found) -> None:
        if wanted != found:
            raise RunError(
                f"this run was started with {option} {found}, and the command says {wanted}; leave it out to "
                "resume the run, or start another in a new folder"
            )

    paths = with_absolute_paths(replace(config, **{name: given[name] for name in PATHS if name in given}))
    given |= {name: getattr(paths, name) for name in PATHS if name in given}
    lists = {name: tuple(given[name]) for name in ("off", "weight", "change") if name in given}
    for name in given.keys() - lists.keys():
        compare(f"--{name.removesuffix('_run')}", given[name], getattr(config, name))
    before, after = resolve(config), resolve(replace(config, **{n: getattr(config, n) + v for n, v in lists.items()}))
    for name, value in asdict(after.settings).items():
        compare(f"--set {name} =", value, getattr(before.settings, name))
    for name, term in after.objective.items():
        compare(f"--weight {name} =", term.weight, before.objective[name].weight)
        if term.on != before.objective[name].on:
            raise RunError(f"this run was started without --off {name}; leave it out, or start in a new folder")
