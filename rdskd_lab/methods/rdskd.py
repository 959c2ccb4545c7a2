"""Read this first: RDSKD is two tables of terms, what is optimised, and when the student watches.

The methods that it is compared with are put together in the same way, each in a file of its own beside this one.
"""

from collections.abc import Callable

from .. import losses as L
from ..objective import Objective, Term
from .method import Method, Settings


def rdskd(diversity: Callable = L.diversity_seeking) -> Objective:
    """L_G = exp(L_OH - a_OH) + exp(L_IE - a_IE) + L_DS: no weights, two damped terms, one plain.

    Source: RDSKD, published code.  The anchors a start at 0 and are taken once per 120 steps, at the second of them.
    """
    return Objective(
        oh=Term(lambda b: L.one_hot(b.logits), damped=True),
        ie=Term(lambda b: L.information_entropy(b.logits), damped=True),
        ds=Term(lambda b: diversity(b.images, b.probs)),
    )


PRESETS = {
    "paper-mnist": Settings(),
    "paper-svhn": Settings(latent=1000),
    "paper-cifar10": Settings(latent=1000, student_schedule="late"),
    "classroom": Settings(
        generator_steps=800, batch_size=64, width=16, lr=1.6e-2,
        student_steps=4_000, student_batch_size=128, student_lr=4e-3, student_schedule="cosine",
        pooled=True, augment=1.0, reuse=2,
    ),
    "long": Settings(
        generator_steps=2_400, batch_size=64, width=16, lr=1.6e-2,
        student_steps=40_000, student_batch_size=128, student_lr=4e-3, student_schedule="cosine",
        pooled=True, augment=1.0, reuse=4,
    ),
    "small-cifar10": Settings(  # colour images on two cores; a first guess, tuned for no method
        generator_steps=2_000, batch_size=128, latent=256, width=64, lr=2e-3,
        student_steps=4_000, student_batch_size=128, student_schedule="cosine", pooled=True, augment=1.0,
    ),
}  # fmt: skip

RDSKD = Method(rdskd, PRESETS)
