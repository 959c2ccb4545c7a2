"""What came of a run: result.json, and the classes that its images belong to."""

import platform
import sys
from itertools import islice
from pathlib import Path

import torch

from .. import __version__
from ..datasets import Split
from ..distillation import Distillation
from ..evaluation.accuracy import compare, logits_of
from ..evaluation.image_quality import rare, seen
from ..methods.image_optimization import Sheets
from ..networks.weights import some
from ..training import generated_batches
from .config import Setup
from .machine import machine, peak_rss_mb
from .run_folder import NO_DATA, RunError, command, read_json

SURVEYED = 5_000  # fresh images whose classes are counted, where nothing is pooled


def conclude(setup: Setup, run: Distillation, test: Split, seconds: dict[str, float]) -> dict:
    """Test the student, as it is after the last step, once on every test image; return what result.json says."""
    generator, student = seconds["synthesise"], seconds["distill"]
    return {
        **{name: getattr(setup.config, name) for name in ("method", "preset", "seed")},
        **{name: _without_folder(getattr(setup.config, name)) for name in ("data", "teacher")},
        "student": setup.student,
        "seen": run.method.seen,
        "real_images": 0 if run.data is None else len(run.data),
        **compare(run.teacher, run.student, test),
        **(without_data(run, test) if setup.config.data == NO_DATA else {}),
        "class_histogram": class_histogram(run).tolist(),
        "seconds": {"generator": generator, "student": student, "total": generator + student},
        "peak_rss_mb": peak_rss_mb(),
        "versions": {"rdskd_lab": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "machine": machine(run.device),
    }


def without_data(run: Distillation, test: Split) -> dict:
    """Measure how often the student gives the teacher's answer, in all and by the teacher's class, without real images.

    On fresh images of the source (of sheets, whose last is noise again, those in the pool), on procedural images, and
    on Gaussian noise.  It takes the place of what is not known without data: nobody's accuracy, and no recall.
    """
    rng = torch.Generator().manual_seed(run.seed + 4)
    fresh = islice(generated_batches(run.source, run.teacher, 100, rng), -(-min(len(test), 1_000) // 100))
    noise = torch.randn(min(len(test), 1_000), run.channels, run.size, run.size, generator=rng)
    images = {
        "generated": seen(run, 1_000).split(100) if isinstance(run.source, Sheets) else [b.images for b in fresh],
        "procedural": [part for part, _ in test.batches(100, run.device)],
        "noise": [part.to(run.device) for part in noise.split(100)],
    }
    unknown = dict.fromkeys(("student_accuracy", "teacher_accuracy", "per_class_recall"))
    return unknown | {"without_data": {name: _agreement(run, parts) for name, parts in images.items()}}


def _agreement(run: Distillation, parts: list[torch.Tensor]) -> dict:
    teacher, student = (logits_of(net, parts).argmax(1).cpu() for net in (run.teacher, run.student))
    same = (teacher == student).float()
    by_class = [same[teacher == k].mean().item() if (teacher == k).any() else None for k in range(run.classes)]
    return {"images": len(same), "agreement": same.mean().item(), "by_class": by_class}


def _without_folder(name: str) -> str:
    return Path(name).name if Path(name).is_absolute() else name


def class_histogram(run: Distillation) -> torch.Tensor:
    """Count the source's images by the class that the teacher gives them, (K,): the pool's, or fresh ones."""
    if run.pool.filled:
        return run.pool.histogram()
    size = min(run.settings.student_batch_size, SURVEYED)
    rng = torch.Generator().manual_seed(run.seed + 2)  # its own: looking must not change what comes after
    fresh = islice(generated_batches(run.source, run.teacher, size, rng), -(-SURVEYED // size))
    return torch.bincount(torch.cat([batch.logits.argmax(1) for batch in fresh]), minlength=run.classes)


def warn_of_collapse(histogram: torch.Tensor, classes: tuple[str, ...]) -> None:
    """Warn on stderr when more than a fifth of the classes have less than a tenth of an even share."""
    missing = [name for name, few in zip(classes, rare(histogram).tolist(), strict=True) if few]
    if len(missing) * 5 > len(classes):
        counts = [f"{name}: {n:,}" for name, n in zip(classes, histogram.tolist(), strict=True)]
        print(
            f"rdskd-lab: warning: the generator has collapsed: {some(missing, 12)} are hardly among its images "
            f"({some(counts, 12)}); the student will not learn them",
            file=sys.stderr,
        )


def read_result(out: Path) -> dict:
    """Return the result of the finished run in folder `out`."""
    try:
        return read_json(out / "result.json")
    except RunError as error:
        again = (out / "checkpoint.pt").exists()
        then = (
            "delete it and run again with --resume" if again else f"the networks are intact: {command('evaluate', out)}"
        )
        raise RunError(f"{error}; {then}") from error
