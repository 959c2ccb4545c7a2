"""What damping changes: `python benchmarks/damping.py` writes damping.csv, and damping.md from it.

A small generator (width 8) is trained for 100 steps under each anchor rule, from the same weights and on the same
latents.  After each step every term is measured on one fixed probe batch of 64 latents.  "constant" is the plain sum
with constant weights: the mean gains that the released rule had in the run with the same seed.
"""

import csv
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import torch

import rdskd_lab as lab
from rdskd_lab import torch_state
from rdskd_lab.distillation import use_anchor
from rdskd_lab.evaluation.image_quality import Probe, fluctuation
from rdskd_lab.networks import weights

TABLE = Path(__file__).resolve().parents[1] / "results" / "damping.csv"
SETTINGS = {
    "lr 0.016, batch 32": {"batch_size": 32},
    "lr 0.064, batch 32": {"batch_size": 32, "lr": 6.4e-2},
    "lr 0.016, batch 8": {"batch_size": 8},
}
RULES = ("none", "epoch", "previous", "average", "at 0", "constant")
NAMES = {
    "none": "none (plain sum)",
    "epoch": "epoch (released code)",
    "previous": "previous",
    "average": "average",
    "at 0": "0, never moved",
    "constant": "none, constant weights",
}
STEPS, EARLY, LAST, SEEDS = 100, 20, 20, range(10)


def measure(setting: dict, rule: str, seed: int, constant: dict[str, float]) -> dict[str, float]:
    """One run's row: fluctuations in nats per step, whole, early and on the training batches; where it ended; gains."""
    objective = lab.rdskd()
    if rule == "at 0":  # the anchor that is there at first, never moved
        for term in objective.values():
            term.rule = lambda i, raw, anchor: anchor
    else:
        use_anchor(objective, "none" if rule == "constant" else rule)
    for name, weight in constant.items() if rule == "constant" else ():
        objective[name].weight = weight
    settings = replace(lab.PRESETS["classroom"], generator_steps=STEPS, width=8, pooled=False, **setting)
    teacher = weights.load_weights(lab.LeNet5(), weights.SHIPPED["lenet5"])
    run = lab.Distillation(teacher, torch_state.seeded(seed, lab.LeNet5Half), objective, settings, seed=seed)
    probe = Probe(run.teacher, run.generator, objective, n=64, seed=1000)
    probed, trained, gains = [probe.measure()], [], []
    for step in run.synthesise():
        probed.append(probe.measure())
        trained.append(step.raw)
        gains.append(step.gain)
    row = {}
    for name in ("oh", "ie"):
        values = [p[name] for p in probed]
        row |= {
            f"{name}": fluctuation(values),
            f"{name}_early": fluctuation(values[: EARLY + 1]),
            f"{name}_late": fluctuation(values[EARLY:]),
            f"{name}_training_batch": fluctuation([t[name] for t in trained]),
            f"{name}_end": statistics.fmean(values[-LAST:]),
            f"{name}_gain": statistics.fmean(g[name] for g in gains),
        }
    return row


def run_all() -> None:
    """Every setting, seed and rule; a run that gives numbers that are not finite is a row without numbers."""
    with open(TABLE, "w", newline="") as file:
        writer = None
        for seed in SEEDS:
            for title, setting in SETTINGS.items():
                constant = {}
                for rule in RULES:
                    try:
                        row = measure(setting, rule, seed, constant)
                    except FloatingPointError as error:
                        print(title, rule, seed, error, flush=True)
                        continue
                    if rule == "epoch":
                        constant = {name: row[f"{name}_gain"] for name in ("oh", "ie")}
                    row = {"setting": title, "rule": rule, "seed": seed} | {k: f"{v:.5g}" for k, v in row.items()}
                    writer = writer or csv.DictWriter(file, row)
                    if file.tell() == 0:
                        writer.writeheader()
                    writer.writerow(row)
                    file.flush()
                print(title, seed, flush=True)


def table() -> str:
    """damping.csv as Markdown: a table per setting, mean ± standard deviation over seeds, seeds lower than plain."""
    with open(TABLE, newline="") as file:
        rows = list(csv.DictReader(file))
    lines = ["# What damping changes", "", __doc__.split("\n\n", 1)[1].strip(), ""]
    lines += [
        "F is the mean positive increment per step on the probe, in 0.001 nats, over all steps and over the first 20.",
        "The end is the mean of the last 20 values, in nats. *Lower*: in how many seeds F is below the plain sum's.",
        "",
    ]
    for title in dict.fromkeys(row["setting"] for row in rows):
        of = {(row["rule"], row["seed"]): row for row in rows if row["setting"] == title}
        seeds = sorted({seed for _, seed in of if all((rule, seed) in of for rule in RULES)}, key=int)
        lines += [
            f"## {title}, {len(seeds)} seeds",
            "",
            "| anchor | F(oh) | lower | F(ie) | lower | F(oh), first 20 | F(ie), first 20 | end oh | end ie | gains |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for rule in RULES:
            lines.append(f"| {NAMES[rule]} | " + " | ".join(_cells(of, rule, seeds)) + " |")
        lines.append("")
    return "\n".join(lines)


def _cells(of: dict, rule: str, seeds: list[str]) -> list[str]:
    def values(key: str, scale: float = 1000, rule: str = rule) -> list[float]:
        return [scale * float(of[rule, seed][key]) for seed in seeds]

    def spread(key: str, scale: float = 1000, digits: int = 1) -> str:
        found = values(key, scale)
        return f"{statistics.fmean(found):.{digits}f} ± {statistics.stdev(found):.{digits}f}"

    def lower(key: str) -> str:
        pairs = zip(values(key), values(key, rule="none"), strict=True)
        return "" if rule == "none" else f"{sum(a < b for a, b in pairs)} of {len(seeds)}"

    arm = "epoch" if rule == "constant" else rule  # whose mean gains were its weights
    gains = [statistics.fmean(values(f"{name}_gain", 1, arm)) for name in ("oh", "ie")]
    return [
        spread("oh"),
        lower("oh"),
        spread("ie"),
        lower("ie"),
        spread("oh_early"),
        spread("ie_early"),
        spread("oh_end", 1, 2),
        spread("ie_end", 1, 2),
        f"{gains[0]:.2f}, {gains[1]:.2f}",
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:] != ["table"]:
        run_all()
    TABLE.with_suffix(".md").write_text(table())
