"""One run from its configuration to its result: `execute(Config(preset="classroom", seed=1), "runs/one")`.

What is done, in which order, measured how; what lies in the folder meanwhile, and how a killed run goes on, is told
in `folder`.  A run that is cut anywhere and goes on ends with the same weights, bit for bit on one machine.
"""

import math
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import torch

from .. import __version__
from ..datasets.named import Split, load, view
from ..distillation import SCHEDULES, Distillation, find_device, use_anchor
from ..evaluation.accuracy import accuracy, compare
from ..evaluation.image_quality import rare
from ..methods.method import Method, Settings
from ..methods.registry import METHODS
from ..networks.registry import Shape, is_foreign, make_student, make_teacher, student_of, weights_of
from ..networks.weights import fingerprint, why
from ..objective import ANCHORS, Objective
from ..torch_state import seeded
from ..training import Step, painted
from .run_folder import FORMAT, POOL, Folder, RunError, check_format, held, read_json, sweep

STAGES = {"synthesise": "generator", "distill": "student", "together": "generator and student"}  # in words
PICTURES, MEASURES = 8, 12  # moments at which the generator is pictured and the student measured
SURVEYED = 5_000  # fresh images whose classes are counted, where nothing is pooled
ON = ", or free some memory and go on with --resume"
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


# ---- what is asked for -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Config:
    """Everything that decides a run's result, and its device."""

    method: str = "rdskd"
    preset: str = "classroom"
    data: str = "digits"
    seed: int = 0
    teacher: str = "lenet5"  # one of NETWORKS, a LeNet-5's safetensors file, or package.module:factory
    weights: str = ""  # the teacher's safetensors file; "": the shipped one
    student: str = "pair"  # one of NETWORKS or package.module:factory; "pair": what belongs to the teacher
    channels: int = 0  # what a teacher of one's own expects; 0 and (): as the data are
    size: int = 0
    classes: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    off: tuple[str, ...] = ()
    weight: tuple[tuple[str, float], ...] = ()
    anchor: str = "epoch"
    change: tuple[tuple[str, str], ...] = ()  # settings that differ from the preset's
    device: str = "auto"
    budget: str = ""  # what the steps were chosen for, by `compare`; says, and decides nothing

    def settings(self) -> Settings:
        """The preset's settings with this run's changes."""
        presets = self.how().presets
        settings, changed = presets[known("preset", self.preset, presets)], {}
        names = [name for name in asdict(settings) if name != "weights"]  # which --weight changes
        for name, value in self.change:
            kind = type(getattr(settings, known("setting", name, names)))
            try:
                changed[name] = {"true": True, "false": False}[str(value).lower()] if kind is bool else kind(value)
            except (ValueError, KeyError):
                raise RunError(f"setting {name} takes {KINDS[kind]}, not {value!r}") from None
        return check(replace(settings, **changed), paints=bool(self.how().terms()))

    def how(self) -> Method:
        """The method by its name."""
        return METHODS[known("method", self.method, METHODS)]

    def objective(self) -> Objective:
        """The method's terms with this run's switches, weights and anchor rule."""
        objective = self.how().objective(self.settings())
        use_anchor(objective, known("anchor rule", self.anchor, (*ANCHORS, "none")))
        for name in self.off:
            objective[known("term", name, objective)].on = False
        for name, value in self.weight:
            if not math.isfinite(value):
                raise RunError(f"the weight of {name} must be a finite number, not {value}")
            objective[known("term", name, objective)].weight = value
        return objective

    def load(self, split: str) -> Split:
        """A split of the data, as the teacher expects it."""
        told = {"channels": self.channels, "size": self.size, "mean": self.mean, "std": self.std}
        if is_foreign(self.teacher):
            wanted = {**told, "classes": self.classes}
            if missing := [f"--{name}" for name, value in wanted.items() if not value]:
                raise RunError(
                    f"nobody but you knows what {self.teacher} expects; give {', '.join(missing)} "
                    "(for MNIST at 28 pixels: --channels 1 --size 28 --classes 10 --mean 0.1307 --std 0.3081)"
                )
        told = {name: value for name, value in told.items() if value}
        found = view(self.data, split, **told) if told else load(self.data, split)
        if self.classes not in (0, len(found.classes)):
            raise RunError(f"{self.data} has {len(found.classes)} classes, and --classes says {self.classes}")
        return found

    def networks(self, test: Split) -> tuple[torch.nn.Module, torch.nn.Module]:
        """The teacher as it is, and a student with the first weights that the seed gives."""
        shape = Shape(*test.images.shape[1:3], len(test.classes))
        teacher = make_teacher(self.teacher, self.weights, shape)
        return teacher, seeded(self.seed, make_student, student_of(self.teacher, self.student), shape)


def known(what: str, name: str, names: Iterable[str]) -> str:
    """`name`, if it is one of `names`; else an error that lists them, and asks whether the nearest was meant."""
    if name not in names:
        close = get_close_matches(name, names, n=1)
        raise RunError(
            f"no {what} {name!r}; there are {', '.join(names)}" + "".join(f". Did you mean {c!r}?" for c in close)
        )
    return name


def check(settings: Settings, paints: bool = True) -> Settings:
    """`settings`, if a run can be made of them; one that `paints` has a source that learns."""
    least = dict(generator_steps=int(paints), batch_size=2, latent=1, width=2, sheet_steps=1, jitter=0, student_steps=1,
                 student_turn=1, student_batch_size=1, reuse=1)  # fmt: skip
    for name, low in least.items():
        if getattr(settings, name) < low:
            raise RunError(f"setting {name} must be at least {low}, not {getattr(settings, name)}")
    if settings.generator_steps and not paints:
        raise RunError(f"setting generator_steps must be 0 where no source learns, not {settings.generator_steps}")
    for name in "lr", "student_lr", "temperature":
        if not 0 < getattr(settings, name) < math.inf:
            raise RunError(f"setting {name} must be a number above 0, not {getattr(settings, name)}")
    if not 0 <= settings.augment < math.inf:
        raise RunError(f"setting augment must be 0 or a number above, not {settings.augment}")
    if settings.batch_size % 2:
        raise RunError(
            "setting batch_size must be even, since diversity seeking pairs the two halves of a batch, not "
            f"{settings.batch_size}"
        )
    known("student_schedule", settings.student_schedule, ("constant", *SCHEDULES))
    known("student_optimizer", settings.student_optimizer, ("adam", "sgd"))
    if settings.generator_steps % settings.sheet_steps:
        raise RunError(
            f"setting generator_steps must be a multiple of sheet_steps = {settings.sheet_steps}, so that the last "
            f"sheet is finished, not {settings.generator_steps}"
        )
    pooled = settings.generator_steps // settings.sheet_steps * settings.batch_size
    each = " / sheet_steps" if settings.sheet_steps > 1 else ""
    if settings.pooled and settings.student_batch_size > pooled:
        raise RunError(
            f"setting student_batch_size must not exceed the pool, generator_steps x batch_size{each} = {pooled} "
            f"images; it is {settings.student_batch_size}"
        )
    return settings


def read_config(out: Path | str) -> Config:
    """What the run in folder `out` was asked for."""
    path = Path(out) / "config.json"
    if not path.is_file():
        raise RunError(f"there is no run in {out}, for it has no config.json; start one there without --resume")
    facts = read_json(path)
    try:
        check_format(path, facts["format"], facts["version"])
        plain = "method preset data seed weights student channels size classes anchor device budget"
        kept = {key: facts[key] for key in plain.split()} | {key: tuple(facts[key]) for key in ("mean", "std")}
        pairs = {key: tuple(tuple(pair) for pair in facts[key]) for key in ("weight", "change")}
        return Config(**kept, **pairs, teacher=facts["teacher"]["name"], off=tuple(facts["off"]))
    except (KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error!r}); put it back as it was, or start in a new folder") from error


# ---- doing it --------------------------------------------------------------------------------------------------------


def plain(steps: Iterator[Step], phase: str, first: int, total: int) -> Iterator[Step]:
    """The progress adapter that shows nothing; the command line has one with a bar."""
    return steps


def execute(config: Config, out: Path | str, *, resume: bool = False, progress=plain, stop=lambda: False,
            also=lambda run, test: {}) -> dict:  # fmt: skip
    """Do the run in folder `out`, or go on with the same run where it was cut; return its result.

    `progress(steps, phase, first, total)` is an adapter that every step passes through.  `stop()` is asked between
    two steps; when it says yes, the state is saved and KeyboardInterrupt raised.  What `also(run, test)` finds in the
    finished run is put into its result.
    """
    out = Path(out)
    with held(out):
        if resume and (out / "result.json").exists():
            result = _result(out)
            sweep(out, "checkpoint.pt", *POOL)  # should it have been killed while it tidied up
            return result
        run, tune, test = prepare(config)
        folder = Folder(out, run, describe(config, run))
        with _told(out), _enough_memory("what comes after a stage", "student_batch_size", ON):
            folder.restore() if resume else folder.start()
            for phase, total in run.stages.items():
                _pull(run, folder, tune, phase, total, progress, stop)
                folder.save()
                if phase == "synthesise":
                    warn_of_collapse(class_histogram(run), test.classes)
            result = conclude(config, run, test, folder.seconds) | also(run, test)
            folder.finish(result)
        return result


def prepare(config: Config) -> tuple[Distillation, Split, Split]:
    """The run in memory, the split that its curve is measured on, and the one for its result."""
    settings, objective, device = config.settings(), config.objective(), find_device(config.device)
    if not 0 <= config.seed < 2**31:
        raise RunError(f"the seed must be from 0 to {2**31 - 1}, not {config.seed}")
    test, tune = config.load("test"), config.load("tune")
    tune = tune[torch.randperm(len(tune), generator=torch.Generator().manual_seed(0))[:4000]]
    teacher, student = config.networks(test)
    channels, size = test.images.shape[1:3]
    data = config.load("train") if config.how().real_images else None
    with _enough_memory("the images that the student will learn from", "generator_steps or batch_size"):
        run = Distillation(
            teacher, student, objective, settings, method=config.how(), seed=config.seed, channels=channels, size=size,
            device=device, data=data,
        )  # fmt: skip
    if run.classes != len(test.classes):
        raise RunError(f"the teacher answers with {run.classes} classes, and {config.data} has {len(test.classes)}")
    return run, tune, test


def describe(config: Config, run: Distillation) -> dict:
    """What config.json says of a run: all that was asked for, and what it amounts to."""
    terms = {
        name: {"weight": t.weight, "on": t.on, "damped": t.damped, "rule": config.anchor if t.damped else "none"}
        for name, t in run.objective.items()
    }
    facts = {"format": FORMAT, "version": __version__, **asdict(config)}
    file = weights_of(config.teacher, config.weights)
    facts["teacher"] = {"name": config.teacher, "sha256": fingerprint(file) if file else "unknown"}
    paired = student_of(config.teacher, config.student)
    return {**facts, "student_network": paired, "settings": asdict(run.settings), "terms": terms}


def _pull(run, folder, tune, phase, total, progress, stop) -> None:
    """Pull the remaining steps of a stage, keeping the record; leave them on disk whatever ends this."""
    pictured, steps = _moments(run.settings.generator_steps), run.settings.student_steps
    measured = {-(-steps * k // MEASURES) for k in range(1, MEASURES + 1)}
    if not folder.pictures:
        folder.pictures.append(run.picture())
    lower = {"synthesise": "batch_size or width", "distill": "student_batch_size"}.get(phase, "batch_size")
    first = run.done.get(phase, sum(run.done.values()))
    pulled = iter(run) if phase == "together" else getattr(run, phase)()
    with _enough_memory(f"the {STAGES[phase]} stage", lower, ON):
        try:
            for step in progress(pulled, phase, first, total):
                taught, painted_now = step.phase == "distill", step.phase == "synthesise"
                folder.note(step, accuracy(run.student, tune) if taught and step.i + 1 in measured else None)
                if painted_now and step.i + 1 in pictured:
                    folder.pictures.append(run.picture())
                if stop():
                    folder.save()
                    raise KeyboardInterrupt
                folder.save_if_due()
        except FloatingPointError:
            folder.save_history()  # the rows that led there are worth a look: rdskd-lab report
            raise


def _moments(total: int) -> set[int]:
    """About `PICTURES` numbers of steps done, up to `total`, closer together where the generator changes faster."""
    if not total:
        return set()
    return {*(round(total ** (k / (PICTURES - 2))) for k in range(1, PICTURES - 1)), max(1, total // 2), total}


# ---- what came of it -------------------------------------------------------------------------------------------------


def conclude(config: Config, run: Distillation, test: Split, seconds: dict[str, float]) -> dict:
    """The result: the last student, asked once about every test image."""
    generator, student = seconds["synthesise"], seconds["distill"]
    return {
        **{name: getattr(config, name) for name in ("method", "preset", "seed", "data")},
        "teacher": config.teacher,
        "student": student_of(config.teacher, config.student),
        "seen": run.method.seen,
        "real_images": 0 if run.data is None else len(run.data),
        **compare(run.teacher, run.student, test),
        "class_histogram": class_histogram(run).tolist(),
        "seconds": {"generator": generator, "student": student, "total": generator + student},
        "peak_rss_mb": peak_rss_mb(),
        "versions": {"rdskd_lab": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "machine": machine(run.device),
    }


def class_histogram(run: Distillation) -> torch.Tensor:
    """What the teacher takes the source's images for, (K,): the pool, or fresh ones where there is none."""
    if run.pool.filled:
        return run.pool.histogram()
    size = min(run.settings.student_batch_size, SURVEYED)
    rng = torch.Generator().manual_seed(run.seed + 2)  # its own: looking must not change what comes after
    fresh = islice(painted(run.source, run.teacher, size, rng), -(-SURVEYED // size))
    return torch.bincount(torch.cat([batch.logits.argmax(1) for batch in fresh]), minlength=run.classes)


def warn_of_collapse(histogram: torch.Tensor, classes: tuple[str, ...]) -> None:
    """Say on stderr when more than a fifth of the classes have less than a tenth of an even share."""
    missing = [name for name, few in zip(classes, rare(histogram).tolist(), strict=True) if few]
    if len(missing) * 5 > len(classes):
        found = ", ".join(f"{name}: {n:,}" for name, n in zip(classes, histogram.tolist(), strict=True))
        print(
            f"rdskd-lab: warning: the generator has collapsed: {', '.join(missing)} are hardly among its images "
            f"({found}); the student will not learn them",
            file=sys.stderr,
        )


def peak_rss_mb() -> float | None:
    """The most memory this process has held, in MB; None on Windows, which does not tell in this way."""
    try:  # Linux's other figure, `ru_maxrss`, begins with that of the process which started this one
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def machine(device: torch.device) -> str:
    """What the run was computed on, without names of persons or hosts."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {torch.get_num_threads()} threads"


def _result(out: Path) -> dict:
    try:
        return read_json(out / "result.json")
    except RunError as error:
        again = (out / "checkpoint.pt").exists()
        then = "delete it and go on with --resume" if again else f"the networks are whole: rdskd-lab evaluate {out}"
        raise RunError(f"{error}; {then}") from error


# ---- what can go wrong, in sentences ---------------------------------------------------------------------------------


@contextmanager
def _told(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        saved = (out / "config.json").exists()
        then = "what was saved is whole: mend it, and go on with --resume" if saved else "nothing was begun"
        raise RunError(f"cannot write in {out} ({why(error)}); {then}") from error


@contextmanager
def _enough_memory(what: str, lower: str, instead: str = "") -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            text = f"out of memory for {what}: start anew with a lower {lower} (--set NAME=VALUE){instead}"
            raise RunError(text) from error
        raise
