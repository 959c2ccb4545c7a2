"""Small recorded runs of the lab, with random edits, and files of them that are damaged."""

import io
import json
import random

import numpy as np

from rdskd_lab.lab.session.experiment import Experiment
from rdskd_lab.lab.session.record import Edit
from rdskd_lab.lab.session.trace import begin
from rdskd_lab.methods.method import Settings

SMALL = Settings(batch_size=8, width=4, latent=16, lr=1e-2, student_batch_size=8)


def recorded(steps: int, edits: int = 0, *, seed: int = 0, method: str = "rdskd", freeze: int = 10) -> tuple:
    """A run with that many random edits: its trace and its experiment."""
    rng, experiment = random.Random(seed), Experiment(method, seed, settings=SMALL)
    kept = begin(experiment)
    kept.freeze = freeze
    steps_to_edit = sorted(rng.choices(range(steps), k=edits))
    run = experiment.steps()
    for i in range(steps):
        while steps_to_edit and steps_to_edit[0] == i:
            steps_to_edit.pop(0)
            edit = trace_edit(rng, i, list(experiment.objective))
            experiment.change(edit)
            kept.record.edits.append(edit)
        kept.record.add(next(run), experiment.objective)
        kept.note(experiment)
    return kept, experiment


def trace_edit(rng: random.Random, step: int, names: list[str], weights=(0.3, 1, 2)):
    kinds = {
        "on": (True, False),
        "weight": weights,
        "damped": (True, False),
        "rule": ("epoch", "previous", "average"),
        "strength": (0, 1, 7.5, 50),
    }
    if rng.random() < 0.1:
        return Edit(step, "student", "learns", rng.choice((True, False)))
    field = rng.choice(list(kinds))
    return Edit(step, rng.choice(names), field, rng.choice(kinds[field]))


ODD = [None, True, -1, 10**30, float("nan"), "", "x" * 300, [], {}, [1], {"a": 1}, "__import__('os')"]


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A file with flipped bytes, cut short, or with one array or one fact that is not what it was."""
    kind = rng.randrange(4)
    if kind == 0:
        wrong = bytearray(content)
        for _ in range(rng.randint(1, 20)):
            wrong[rng.randrange(len(wrong))] = rng.randrange(256)
        return bytes(wrong)
    if kind == 1:
        return content[: rng.randrange(len(content))]
    arrays = dict(np.load(io.BytesIO(content)))
    if kind == 2:
        facts = json.loads(arrays["facts"].tobytes())
        terms = facts["terms"].values()
        place = rng.choice([facts, *terms, *(term["words"] for term in terms), facts["settings"], *facts["edits"]])
        place[rng.choice(list(place))] = rng.choice(ODD)
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    else:
        name = rng.choice(list(arrays))
        array = arrays[name]
        arrays[name] = rng.choice(
            [
                lambda: array[:-1] if array.ndim else array[None],
                lambda: array.astype(rng.choice([np.uint8, np.float16])),
                lambda: np.full_like(array, rng.choice([0, 1, 255, 77])),
                lambda: array.reshape(-1),
                lambda: np.zeros(0),
                lambda: array.T,
                lambda: np.full(array.shape, np.nan),
                lambda: array.astype("S5"),
            ]
        )()
        if rng.random() < 0.3:
            del arrays[name]
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
