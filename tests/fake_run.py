"""A made-up run folder that looks like a real one: for tests of figures and reports, and for looking at them."""

import json
from pathlib import Path

import numpy as np

from rdskd_lab.runs.compare import as_csv


def rings(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw uint8 (n, 32, 32), labels (n,): a ring for each class."""
    labels = np.random.default_rng(seed).integers(0, 10, n)
    far = np.hypot(*(np.mgrid[:32, :32] - 15.5))
    return 255 * (np.abs(far - 3 - labels[:, None, None]) < 1.5).astype(np.uint8), labels


def make_run(folder: Path, steps: int = 480, student_steps: int = 600, seed: int = 0) -> Path:
    """Fill `folder` with config.json, history.csv, samples.npz and result.json of an invented RDSKD run."""
    rng, folder = np.random.default_rng(seed), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    keys = ["oh", "ie", "ds", "kd"]
    rows, seconds, anchors = [], 0.0, {"oh": 0.0, "ie": 0.0}
    for i in range(steps):
        fade = np.exp(-6 * i / steps)
        raw = {
            "oh": (0.06 + 1.8 * fade) * rng.lognormal(0, 0.15),
            "ie": -2.26 + 1.5 * np.exp(-12 * i / steps) + abs(rng.normal(0, 0.03)),
            "ds": 0.012 + 0.01 * (1 - fade) + rng.normal(0, 5e-4),
        }
        gain = {key: float(np.exp(raw[key] - anchors[key])) if key in anchors else 1.0 for key in raw}
        seconds += 0.06
        row = {"phase": "synthesise", "step": i, "seconds": round(seconds, 3)}
        for key in raw:
            row |= {key: f"{raw[key]:.6g}", f"{key}_gain": f"{gain[key]:.6g}", f"{key}_weight": 1.0}
        rows.append(row)
        if i % 120 == 1:
            anchors = {key: raw[key] for key in anchors}
    for i in range(student_steps):
        seconds += 0.01
        kd = (0.4 + 25 * np.exp(-9 * i / student_steps)) * rng.lognormal(0, 0.2)
        row = {"phase": "distill", "step": i, "seconds": round(seconds, 3), "kd": kd, "kd_gain": 1, "kd_weight": 1}
        if i % max(1, student_steps // 20) == 0 or i == student_steps - 1:
            row["accuracy"] = round(0.972 - 0.85 * np.exp(-8 * i / student_steps) + rng.normal(0, 0.002), 5)
        rows.append(row)
    columns = [key + part for key in keys for part in ("", "_gain", "_weight")]
    (folder / "history.csv").write_bytes(as_csv(rows, ["phase", "step", "seconds", *columns, "accuracy"]))

    clean, labels = rings(64, seed)
    moments = np.unique(np.linspace(0, steps - 1, 9).astype(int))
    fog = np.linspace(1, 0.08, len(moments))
    soft = (clean.astype(float) + np.roll(clean, 1, 1) + np.roll(clean, 1, 2) + np.roll(clean, 2, 2)) / 4
    images = [np.clip((1 - f) * soft * 1.2 + f * rng.normal(110, 60, soft.shape), 0, 255) for f in fog]
    guess = [np.where(rng.random(64) < f, rng.choice([3, 8], 64), labels) for f in fog]
    np.savez(
        folder / "samples.npz",
        steps=moments,
        images=np.array(images, np.uint8)[:, :, None],
        labels=np.array(guess, np.int64),
        confidence=np.array([np.clip(1 - 0.7 * f + rng.normal(0, 0.05, 64), 0.1, 1) for f in fog], np.float32),
    )

    right = rng.multinomial(10_000, np.full(10, 0.1))
    slips = rng.dirichlet(np.full(10, 0.25), 10) * (1 - np.eye(10))
    confusion = np.diag(right) + 0
    for k in range(10):
        wrong = rng.multinomial(int(right[k] * rng.uniform(0.005, 0.05)), slips[k] / slips[k].sum())
        confusion[k] += wrong
        confusion[k, k] -= wrong.sum()
    terms = {key: {"weight": 1.0, "on": True, "damped": key != "ds", "rule": "epoch"} for key in keys[:3]}
    settings = dict(generator_steps=steps, batch_size=128, width=64, latent=100, lr=1e-3, pool=12_800)
    settings |= dict(student_steps=student_steps, student_batch_size=128, student_lr=2e-3, temperature=10.0)
    same = {"method": "rdskd", "preset": "classroom", "seed": seed, "data": "mnist"}
    config = {
        "format": 1,
        "version": "0.1.0",
        **same,
        "device": "auto",
        "student": "lenet5_half",
        **{"off": [], "weight": [], "anchor": "epoch", "change": []},
        "teacher": {"name": "lenet5", "sha256": "0123abcd" * 8},
        "settings": settings,
        "terms": terms,
    }
    result = {
        **same,
        "test_images": 10_000,
        "teacher_accuracy": 0.9912,
        "student_accuracy": 0.9704,
        "agreement": float(np.trace(confusion) / 10_000),
        "peak_rss_mb": 812.4,
        "seconds": {"generator": 71.3, "student": 38.2, "total": 112.6},
        "machine": "Linux x86_64, 2 CPU cores",
        "versions": {"rdskd_lab": "0.1.0", "torch": "2.14.1", "python": "3.11.9"},
        "confusion": confusion.tolist(),
        "classes": [str(k) for k in range(10)],
        "class_histogram": rng.multinomial(3_840, rng.dirichlet(np.full(10, 8.0))).tolist(),
        "per_class_recall": {
            "teacher": (0.985 + 0.014 * rng.random(10)).tolist(),
            "student": (0.94 + 0.045 * rng.random(10)).tolist(),
        },
    }
    for name, facts in ("config.json", config), ("result.json", result):
        (folder / name).write_text(json.dumps(facts))
    return folder
