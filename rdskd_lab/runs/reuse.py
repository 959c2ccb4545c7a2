"""A run with the generator of another one: `distill --from RUN`.  RUN is only read.

Where RUN was stopped in its student stage its pool is still there, so the same settings give the same student, bit for
bit.  A finished run has deleted its pool; as many fresh images of its generator take its place.
"""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from ..distillation import Distillation
from ..generator import Generator
from ..networks.weights import load_weights
from ..training import generated_batches
from .config import Config, check_code, read_config, read_facts
from .run_folder import POOL, Folder, RunError, command, read_checkpoint, read_pool

# What decides the generator; all other settings are the student's, and may differ.
SETTINGS = ("generator_steps", "batch_size", "latent", "width", "lr", "sheet_steps", "jitter")
IMAGES = ("channels", "size", "classes", "takes", "head")


def like(source: Path, given: dict) -> Config:
    """Return the configuration of the run in `source`, with what is `given` in its place."""
    config, lists = read_config(source), ("off", "weight", "change")
    config = check_code(config, source, given, ", or name the networks yourself (--teacher, --student)")
    given = given | {name: getattr(config, name) + given[name] for name in lists if name in given}
    return replace(config, **given | {"from_run": str(source.absolute()), "budget": ""})


def refuse_misfit(run: Distillation, facts: dict, source: Path) -> dict | None:
    """Refuse a run, described by what its config.json says, that cannot have the generator in `source`.

    Returns the checkpoint of `source`; None if it is finished.
    """
    there = read_facts(source)
    instead = "or start a run without --from"
    if there["teacher"]["sha256"] != facts["teacher"]["sha256"]:
        found, own = (which["teacher"]["sha256"][:12] for which in (there, facts))
        raise RunError(
            f"the generator in {source} was trained against another teacher (sha256 {found}..., here {own}...); give "
            f"that one, {instead}"
        )
    for option, found, own in _decisive(there, facts):
        if found != own:
            raise RunError(
                f"--from uses the generator in {source} as it is, so {option} must stay {found}, not {own}; leave it "
                f"out, {instead}"
            )
    total = run.settings.generator_steps
    if not total or "together" in run.stages:
        what = "trains in turns with its student" if total else "is not trained"
        raise RunError(f"--from needs a run whose generator is trained before its student; the one in {source} {what}")
    finished = (source / "result.json").exists()
    begun = not finished and (source / "checkpoint.pt").exists()
    checkpoint = read_checkpoint(source / "checkpoint.pt") if begun else None
    done = total if finished else checkpoint["state"]["done"]["synthesise"] if checkpoint else 0
    if done < total:
        raise RunError(
            f"the generator in {source} is not finished ({done:,} of {total:,} steps); finish it: "
            f"{command('distill', '--out', source, '--resume')}"
        )
    pooled = bool(checkpoint and checkpoint["state"]["filled"])
    if not pooled and not isinstance(run.source, Generator):
        raise RunError(
            f"{source} has deleted the images that its student learned from, as a finished run does, and its method "
            "has no generator to make new ones; start a run without --from"
        )
    needed = POOL if pooled else () if checkpoint else ("generator.safetensors", "samples.npz")
    for name in (*needed, "history.csv"):
        if not (source / name).is_file():
            raise RunError(f"{source / name} is missing; put it back, {instead}")
    if "samples.npz" in needed:
        _read_pictures(source / "samples.npz")
    return checkpoint


def _decisive(there: dict, facts: dict):
    """Yield (option, value there, value here) of all that decides a generator, beside its teacher and the seed."""
    yield "--method", there["method"], facts["method"]
    inside = facts["takes"] != "normalised"  # then what is generated is made pixels by its mean and std
    for name in (*IMAGES, *("mean", "std") * inside, *("data",) * (inside and not (facts["mean"] and facts["std"]))):
        yield f"--{name}", *(which[name] or "as it was, not given" for which in (there, facts))
    for name in SETTINGS:
        yield f"setting {name}", there["settings"][name], facts["settings"][name]
    for name, term in facts["terms"].items():
        before = there["terms"].get(name, {})
        yield f"the weight of {name}", before.get("weight"), term["weight"]
        yield f"term {name}", *("on" if t.get("on") else "off" for t in (before, term))
        yield f"the anchor rule of {name}", before.get("rule"), term["rule"]
        yield f"the strength of {name}", *(t.get("strength", 1.0) for t in (before, term))


def take_generator(run: Distillation, folder: Folder, source: Path) -> None:
    """Give a new run the finished generator in `source`, with its pool, pictures and history."""
    checkpoint = refuse_misfit(run, folder.facts, source)
    pooled = bool(checkpoint and checkpoint["state"]["filled"])
    if checkpoint:
        run.source.load_state_dict(checkpoint["state"]["generator"])
    else:
        load_weights(run.source, source / "generator.safetensors")
    if run.settings.pooled:
        read_pool(run, source, checkpoint, "start a run without --from") if pooled else _fill_pool(run)
    run.done["synthesise"] = run.settings.generator_steps
    folder.pictures = checkpoint["pictures"] if checkpoint else _read_pictures(source / "samples.npz")
    _copy_history(folder, source / "history.csv")
    made = "its pool" if pooled else "fresh images of its generator"
    folder.reused = {"generator_from": {"run": source.name, "images": made}}


def _fill_pool(run: Distillation) -> None:
    """Fill the pool with fresh images of the finished generator."""
    n, rng = run.settings.batch_size, torch.Generator().manual_seed(run.seed + 5)
    for batch in islice(generated_batches(run.source, run.teacher, n, rng), len(run.pool.images) // n):
        run.pool.add(batch)


def _read_pictures(path: Path) -> list[dict]:
    """Return what `Folder.finish` has stacked."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(file[name]) for name in file.files}
        pictures = [{name: rows[i] for name, rows in arrays.items()} for i in range(len(arrays["steps"]))]
        return [picture | {"steps": int(picture["steps"])} for picture in pictures]
    except Exception as error:  # a foreign file can fail in any way
        raise RunError(f"{path} is damaged ({error}); put it back as it was, or start a run without --from") from error


def _copy_history(folder: Folder, path: Path) -> None:
    """Copy the generator's rows, so that the report shows them, and its time."""
    header, *rows = path.read_text("utf-8").splitlines()
    if header.split(",")[:-1] != folder.columns[:-1]:  # of another version
        return
    rows = [row.split(",") for row in rows if row.startswith("synthesise,")][: folder.run.done["synthesise"]]
    folder.table.writerows(rows)
    folder.seconds["synthesise"] = float(rows[-1][2]) if rows else 0.0
