"""Stop before anything that is not finite moves a weight, and say which term it was."""

import math

import torch
from torch import Tensor

from .batch import Batch
from .objective import Objective, Term


def refuse_non_finite(
    i: int, phase: str, objective: Objective, raw: dict, gain: dict, norm: float, batch: Batch
) -> None:
    """Raise FloatingPointError if a term that is on has a value or gain that is not finite, or the gradient's norm."""
    for what, values in ("value", raw), ("gain", gain):
        for name, value in values.items():
            if objective[name].on and not math.isfinite(value):
                raise FloatingPointError(
                    f"{phase} step {i}: the {what} of term {name!r} is {value} (loss {raw[name]}, anchor "
                    f"{objective[name].anchor}). Nothing was updated; lower its weight or the learning rate, "
                    "or turn its damping off."
                )
    if not math.isfinite(norm):
        terms = blame(objective, batch)
        where = f"of term {terms[0]!r}" if terms else "in the networks behind the terms"
        raise FloatingPointError(
            f"{phase} step {i}: the gradient {where} is not finite. Nothing was updated; lower a weight "
            "or the learning rate."
        )


def blame(objective: Objective, batch: Batch) -> list[str]:
    """The terms whose gradient at what they look at is not finite; slow, for the error message only."""
    leaves = batch.map(lambda t: t.detach().requires_grad_(t.is_floating_point()))
    return [name for name, term in objective.items() if term.on and not _finite_gradient(term, leaves)]


def _finite_gradient(term: Term, leaves: Batch) -> bool:
    inputs = [t for t in [*vars(leaves).values(), *sum(leaves.bn, ())] if isinstance(t, Tensor) and t.requires_grad]
    loss = term.asked(term.measure(leaves))
    if not (isinstance(loss, Tensor) and loss.requires_grad):
        return True  # it looks at nothing in the batch
    return all(g.isfinite().all() for g in torch.autograd.grad(loss, inputs, allow_unused=True) if g is not None)
