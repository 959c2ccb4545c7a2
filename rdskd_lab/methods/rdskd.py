"""Read this first: RDSKD is two tables of terms, what is optimised, and when the student trains.

The methods that it is compared with are put together in the same way, each in a file of its own beside this one.
"""

from collections.abc import Callable
from dataclasses import replace

from .. import losses as L
from ..objective import Objective, Term, Words
from .method import CLASSROOM, SMALL_CIFAR10, Method, Settings

ONE_HOT = Words(
    "one-hot loss",
    "−mean<sub>i</sub> ln max<sub>k</sub> p<sub>ik</sub>",
    "nats per image",
    "0 to ln K",
    "Authenticity: the teacher should be sure of each image. Near 0 it sees one class, and no other, in each.",
    "one_hot(t)",
)
ENTROPY = Words(
    "information entropy loss",
    "Σ<sub>k</sub> p̄<sub>k</sub> ln p̄<sub>k</sub> = −H(p̄)",
    "nats per batch",
    "−ln K to 0",
    "Class diversity: all classes should occur equally often. At −ln K (−2.303 for ten classes) they do; "
    "at 0 there is only one class.",
    "information_entropy(t)",
)
DIVERSITY = Words(
    "diversity seeking loss",
    "‖P² − P¹‖ ∕ ‖x² − x¹‖",
    "probability per pixel unit",
    "0 to about 0.03 for 32 × 32 grey images",
    "Sample diversity: images should differ more than their answers. Low is good; the values are small by nature.",
    "diversity_seeking(x, t.softmax(1))",
)


def rdskd(diversity: Callable = L.diversity_seeking) -> Objective:
    """L_G = exp(L_OH - a_OH) + exp(L_IE - a_IE) + L_DS: no weights, two damped terms, one plain.

    Source: RDSKD, released code.  The anchors a start at 0 and are taken once per 120 steps, at the second of them.
    """
    return Objective(
        oh=Term(lambda b: L.one_hot(b.logits), damped=True, words=ONE_HOT),
        ie=Term(lambda b: L.information_entropy(b.logits), damped=True, words=ENTROPY),
        ds=Term(lambda b: diversity(b.images, b.probs), words=DIVERSITY),
    )


PRESETS = {
    "paper-mnist": Settings(),
    "paper-svhn": Settings(latent=1000),
    "paper-cifar10": Settings(latent=1000, student_schedule="late"),
    "classroom": replace(CLASSROOM, generator_steps=800, batch_size=64, lr=1.6e-2, reuse=2),
    "long": replace(CLASSROOM, generator_steps=2_400, batch_size=64, lr=1.6e-2, student_steps=40_000, reuse=4),
    "small-cifar10": replace(SMALL_CIFAR10, generator_steps=2_000),  # two cores; a first guess, tuned for no method
}

RDSKD = Method(rdskd, PRESETS)
METHODS = {"rdskd": RDSKD}
