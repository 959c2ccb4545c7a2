"""All that a played run's later steps depend on, as arrays of numbers by name; and a run put back from them.

The names are NETWORK/PARAMETER, memory/NAME, OPTIMISER/INDEX/MOMENT, `rng`, `terms` and so on: plain arrays, so that a
file of them needs no pickle.  Arrays that do not fit the experiment are refused before anything changes.
"""

import numpy as np
import torch

from ...batch import Batch
from ...objective import ANCHORS
from .experiment import RECENT, Experiment

RULES = list(ANCHORS)  # a rule is kept as its place here; -1 is one of the learner's own
OPTIMIZERS = "generator_optimizer", "student_optimizer"


def freeze(experiment: Experiment) -> dict[str, np.ndarray]:
    """Return weights, optimisers, memory, random states, terms with anchors, step: 1.5 MB; 4 MB with a student."""
    run, state = experiment.run, experiment.run.state()
    tensors = {f"{part}/{name}": tensor for part in _plain(run) for name, tensor in state[part].items()}
    for part in OPTIMIZERS:
        for i, moments in state[part]["state"].items():
            tensors |= {f"{part}/{i}/{name}": tensor for name, tensor in moments.items()}
    tensors |= {"rng": state["rng"], "lesson_rng": experiment.student_rng.get_state()}
    if experiment.answers:
        tensors["answers"] = torch.stack(list(experiment.answers))
    for part in ("images", "logits") if experiment.recent else ():
        tensors[f"lessons/{part}"] = torch.stack([getattr(batch, part) for batch in experiment.recent])
    places = {function: i for i, function in enumerate(ANCHORS.values())}
    terms = [(t.weight, t.on, t.damped, t.anchor, places.get(t.rule, -1), t.strength) for t in run.objective.values()]
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    return arrays | {"terms": np.array(terms, float), "now": np.array([experiment.done, experiment.learning])}


def thaw(experiment: Experiment, arrays: dict[str, np.ndarray]) -> None:
    """Put a fresh experiment of the same method and settings where `arrays` were frozen."""
    _fit(experiment, arrays)
    run, tensors = experiment.run, {name: torch.tensor(array) for name, array in arrays.items()}
    state = run.state()
    for part in _plain(run):
        state[part] = {name: tensors[f"{part}/{name}"] for name in state[part]}
    for part in OPTIMIZERS:
        weights, moments = _weights(run, part), {}
        for name, tensor in _of(part, tensors).items():
            i, moment = name.split("/")
            like = weights[int(i)] if moment != "step" else tensor
            moments.setdefault(int(i), {})[moment] = torch.empty_like(like).copy_(tensor)  # laid out as its weight is
        state[part]["state"] = moments
    for term, (weight, on, damped, anchor, rule, *strength) in zip(
        run.objective.values(), arrays["terms"].tolist(), strict=True
    ):
        term.weight, term.on, term.damped, term.anchor = weight, bool(on), bool(damped), anchor
        term.strength = strength[0] if strength else 1.0  # checkpoints of earlier versions have none
        term.rule = ANCHORS[RULES[int(rule)]] if rule >= 0 else term.rule
    state["terms"], state["rng"] = {}, tensors["rng"]
    state["done"]["synthesise"], experiment.learning = int(arrays["now"][0]), bool(arrays["now"][1])
    run.restore(state)
    experiment.student_rng.set_state(tensors["lesson_rng"])
    experiment.answers.clear()
    experiment.answers.extend(answer.to(run.device) for answer in tensors.get("answers", ()))
    experiment.recent.clear()
    recent = {part: tensor.to(run.device) for part, tensor in _of("lessons", tensors).items()}
    if recent:
        pairs = zip(recent["images"], recent["logits"], strict=True)
        experiment.recent.extend(Batch(images, logits=logits) for images, logits in pairs)


def _fit(experiment: Experiment, arrays: dict[str, np.ndarray]) -> None:
    """Refuse what is missing, unknown, of another shape or kind, or not finite."""
    wanted = _wanted(experiment, arrays)
    for name in [*wanted, *arrays]:
        found = (arrays[name].shape, str(arrays[name].dtype)) if name in arrays else "missing"
        if found != wanted.get(name, "unknown"):
            raise ValueError(f"{name} is {found} where {wanted.get(name, 'nothing')} belongs")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} holds values that are not finite")
    terms = arrays["terms"]
    if not (np.isin(terms[:, 1:3], (0, 1)).all() and np.isin(terms[:, 4], range(-1, len(RULES))).all()):
        raise ValueError("its terms are set in a way that this version does not know")
    if "answers" in arrays and not (0 <= arrays["answers"].min() and arrays["answers"].max() < experiment.run.classes):
        raise ValueError("it holds answers that are no classes")


def _wanted(experiment: Experiment, arrays: dict) -> dict[str, tuple]:
    """Return shape and kind by name, of all that `arrays` should hold; of an optimiser, of the weights it has moved."""
    run, n = experiment.run, experiment.run.settings.batch_size
    wanted = {f"{part}/{name}": t for part in _plain(run) for name, t in getattr(run, part).state_dict().items()}
    for part in OPTIMIZERS:
        weights = _weights(run, part)
        for i in {name.split("/")[0] for name in _of(part, arrays)}:
            if not i.isdecimal() or not i.isascii() or int(i) >= len(weights) or str(int(i)) != i:
                raise ValueError(f"{part} has no weight {i[:20]!r}")
            like = {"step": torch.zeros(()), "exp_avg": weights[int(i)], "exp_avg_sq": weights[int(i)]}
            wanted |= {f"{part}/{i}/{moment}": tensor for moment, tensor in like.items()}
    wanted |= {"rng": run.rng.get_state(), "lesson_rng": run.rng.get_state()}
    wanted = {name: (tuple(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in wanted.items()}
    columns = 5 if arrays.get("terms", np.zeros(0)).shape[1:] == (5,) else 6  # 5: without strengths
    wanted |= {"terms": ((len(run.objective), columns), "float64"), "now": ((2,), "int64")}
    images = n, run.channels, run.size, run.size
    kept = {
        "answers": ((n,), "int64"),
        "lessons/images": (images, "float32"),
        "lessons/logits": ((n, run.classes), "float32"),
    }
    for name, (shape, kind) in kept.items():
        if name in arrays and arrays[name].ndim:
            wanted[name] = ((min(len(arrays[name]), RECENT), *shape), kind)
    return wanted


def _plain(run) -> list[str]:
    """Name the parts whose state is tensors by name."""
    return ["generator", "student", *["memory"] * (run.memory is not None)]


def _weights(run, part: str) -> list[torch.Tensor]:
    return [weight for group in getattr(run, part).param_groups for weight in group["params"]]


def _of(part: str, arrays: dict) -> dict:
    """Select what belongs to a part, by the rest of its name."""
    return {name.removeprefix(f"{part}/"): array for name, array in arrays.items() if name.startswith(f"{part}/")}
