"""Exercises of 05_inter_sample_diversity: the quotient, the quotient without its trap, and how loud a loss is."""

import torch

from ..exercise import Exercise, Misconception, value_and_gradient

_rng = torch.Generator().manual_seed(0)
IMAGES = torch.randn(6, 1, 4, 4, generator=_rng, dtype=torch.float64)  # three pairs: i and i + 3
LOGITS = torch.randn(6, 3, generator=_rng, dtype=torch.float64)
PROBS = LOGITS.softmax(1)
SAME_ANSWERS = PROBS[:3].repeat(2, 1)  # paired answers coincide, the images do not
SAME_IMAGES = IMAGES[:3].repeat(2, 1, 1, 1)

# ---- 1: the loss -----------------------------------------------------------------------------------------------------


def diversity(images, probs):
    """L_DS of images (N, C, S, S) and probs (N, K) -> (): one norm by one norm, over all pairs."""
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)  # pairs: i and i + N/2
    return (p2 - p1).norm() / ((x2 - x1).norm() + 1e-8)


def mean_over_pairs(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return ((p2 - p1).flatten(1).norm(dim=1) / ((x2 - x1).flatten(1).norm(dim=1) + 1e-8)).mean()


def upside_down(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return (x2 - x1).norm() / ((p2 - p1).norm() + 1e-8)


def squared_distances(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return (p2 - p1).square().sum() / ((x2 - x1).square().sum() + 1e-8)


def means_for_norms(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return (p2 - p1).abs().mean() / ((x2 - x1).abs().mean() + 1e-8)


def root_mean_squares(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return (p2 - p1).square().mean().sqrt() / ((x2 - x1).square().mean().sqrt() + 1e-8)


def neighbours(images, probs):
    x1, x2, p1, p2 = images[::2], images[1::2], probs[::2], probs[1::2]
    return (p2 - p1).norm() / ((x2 - x1).norm() + 1e-8)


def softmax_again(images, probs):
    return diversity(images, probs.softmax(1))


def _watch_loss(answer) -> dict:
    value, gradient = value_and_gradient(answer, IMAGES, PROBS)
    by_probs, its = value_and_gradient(lambda probs, images: answer(images, probs), PROBS, IMAGES)
    return {
        "the loss of three pairs": value,
        "its gradient by the images": gradient,
        "its gradient by the answers": its,
    }


# ---- 2: the trap -----------------------------------------------------------------------------------------------------


def safe_quotient(a, b):
    """|a| / |b| of two tensors -> (); value and gradient finite where a, b or both are 0."""
    return a.norm() / (b.norm() + 1e-8)


def literal(a, b):
    return 1 / (b.norm() / a.norm() + 1e-20)


def bare(a, b):
    return a.norm() / b.norm()


def nan_to_num(a, b):
    return (1 / (b.norm() / a.norm() + 1e-20)).nan_to_num(0.0)


def much_added(a, b):
    return a.norm() / (b.norm() + 1.0)


def square_root(a, b):
    return a.square().sum().sqrt() / (b.square().sum().sqrt() + 1e-8)


def _watch_safe(answer) -> dict:
    a, b = PROBS[3:] - PROBS[:3], IMAGES[3:] - IMAGES[:3]
    value, _ = value_and_gradient(answer, a, b)
    seen = {"the quotient of two ordinary differences": round(float(value), 6)}
    for words, top, below in (
        ("answers coincide", 0 * a, b),
        ("answers and images coincide", 0 * a, 0 * b),
        ("images coincide", a, 0 * b),
    ):
        value, by_top = value_and_gradient(answer, top, below)
        tracked = [x.clone().requires_grad_() for x in (top, below)]
        (by_below,) = torch.autograd.grad(answer(*tracked), tracked[1], allow_unused=True, materialize_grads=True)
        finite = {"value": value, "gradient by a": by_top, "gradient by b": by_below}
        for what, number in finite.items():
            seen[f"whether the {what} is finite where {words}"] = "yes" if number.isfinite().all() else "no"
    return seen


def _wrong_only_where(*places: str):
    """Recognises an answer whose ordinary value is right, and that is not finite in exactly these places."""

    def recognise(seen: dict) -> bool:
        ordinary = seen.get("the quotient of two ordinary differences") == RIGHT
        return ordinary and {key for key, value in seen.items() if value == "no"} == set(places)

    return recognise


RIGHT = round(float(safe_quotient(PROBS[3:] - PROBS[:3], IMAGES[3:] - IMAGES[:3])), 6)

# ---- 3: how loud -----------------------------------------------------------------------------------------------------


def louder(first, second, x):
    """How many times as long as the gradient of second(x) that of first(x) is, both by x."""
    (a,) = torch.autograd.grad(first(x), x)
    (b,) = torch.autograd.grad(second(x), x)
    return a.norm() / b.norm()


def of_the_values(first, second, x):
    return first(x) / second(x)


def the_other_way(first, second, x):
    (a,) = torch.autograd.grad(first(x), x)
    (b,) = torch.autograd.grad(second(x), x)
    return b.norm() / a.norm()


def piled_up(first, second, x):
    x.grad = None
    first(x).backward()
    a = x.grad.clone()
    second(x).backward()
    return a.norm() / x.grad.norm()


def of_the_largest(first, second, x):
    (a,) = torch.autograd.grad(first(x), x)
    (b,) = torch.autograd.grad(second(x), x)
    return a.abs().max() / b.abs().max()


def _watch_louder(answer) -> dict:
    seen = {}
    for words, first, second in (
        ("a loss beside 30 times itself", lambda x: x.square().sum() + 2, lambda x: 30 * x.square().sum()),
        ("a cubic beside a sine", lambda x: x.pow(3).sum(), lambda x: x.sin().sum()),
    ):
        x = IMAGES[:1].clone().requires_grad_()
        seen[words] = torch.as_tensor(answer(first, second, x), dtype=torch.float64).detach()
    return seen


EXERCISES = (
    Exercise(
        title="the diversity-seeking loss from scratch",
        hints=(
            "Pairs are the two halves of the batch: image i and image i + N/2. chunk(2) makes them.",
            "One number above, one below: each norm runs over everything that is in a half, images and pixels alike.",
            "(p2 - p1).norm() / ((x2 - x1).norm() + 1e-8): .norm() without dim runs over the whole tensor.",
        ),
        answer=diversity,
        watch=_watch_loss,
        right=(
            "One norm over all answers, one over all pixels: a quotient of two numbers, as the published code has it."
        ),
        misconceptions=(
            Misconception(
                mean_over_pairs,
                "mean over pairs for one norm",
                "You take a quotient for each pair and then the mean. That is a sensible loss, and the package has "
                "it as "
                "diversity_seeking_pairs, but the published one takes a single norm over the whole half batch: a "
                "pair that differs makes up for others that do not.",
            ),
            Misconception(
                upside_down,
                "the quotient upside down",
                "Yours falls when images become alike. What has to be large, the distance of the images, belongs "
                "below: "
                "a loss goes down.",
            ),
            Misconception(
                squared_distances,
                "squares for norms",
                "The square root is missing: a norm is the root of the sum of squares. Yours is the square of the "
                "loss.",
            ),
            Misconception(
                means_for_norms,
                "means for norms",
                "You take mean absolute differences, as MSGAN does. Here both are 2-norms: root of the sum of squares. "
                "With means the many pixels would not make the loss small, with norms they do.",
            ),
            Misconception(
                root_mean_squares,
                "root mean squares for norms",
                "You divide each sum of squares by its number of entries. A norm is the root of the plain sum: the "
                "pixels are many more than the probabilities, and that is why the published loss is small.",
            ),
            Misconception(
                neighbours,
                "other pairs",
                "You pair neighbours, 0 with 1 and 2 with 3. That would teach as well, but the published code pairs "
                "the "
                "halves: image i with image i + N/2.",
            ),
            Misconception(
                softmax_again,
                "softmax twice",
                "What comes in are probabilities already. Softmax of probabilities makes them nearly even, and all "
                "answers alike.",
            ),
        ),
    ),
    Exercise(
        title="the quotient without its trap",
        hints=(
            "Follow the numbers: when |a| is 0, what is |b| / |a|? And what is infinity times 0 on the way back?",
            "Never divide by the one that may be 0 without help, and rather divide once than twice.",
            "a.norm() / (b.norm() + 1e-8). torch gives norm() the gradient 0 at 0; a square root of a sum has "
            "none there.",
        ),
        answer=safe_quotient,
        watch=_watch_safe,
        right="Finite everywhere: where nothing differs the loss is 0 and pulls nowhere.",
        misconceptions=(
            Misconception(
                literal,
                "the published form",
                "This is what the published code computes, and it is right for ordinary numbers. But where answers "
                "coincide |b| / |a| is infinite: the value, 1 / infinity, is 0, and the gradient is 0 times infinity, "
                "NaN. Where the images coincide too, the value is 0 / 0.",
                recognise=_wrong_only_where(
                    "whether the gradient by a is finite where answers coincide",
                    "whether the gradient by b is finite where answers coincide",
                    "whether the value is finite where answers and images coincide",
                    "whether the gradient by a is finite where answers and images coincide",
                    "whether the gradient by b is finite where answers and images coincide",
                ),
            ),
            Misconception(
                bare,
                "nothing below",
                "Where the images coincide you divide by 0. Add something small to what stands below.",
            ),
            Misconception(
                nan_to_num,
                "a plaster over the value",
                "The values are finite, but torch's way back still goes through something infinite (a quotient by 0, "
                "or the slope of a root at 0), and the gradient is NaN. A NaN has to be kept from arising; it cannot "
                "be wiped off afterwards.",
            ),
            Misconception(
                much_added,
                "so much added that the value changes",
                "Finite everywhere, but ordinary values are wrong: what is added below must be far smaller than any "
                "distance that matters, such as 1e-8.",
            ),
            Misconception(
                square_root,
                "the root of a sum at 0",
                "The values are right everywhere. But the derivative of a square root at 0 is infinite, and times 0 "
                "that is "
                "NaN. torch's own norm() takes 0 there.",
            ),
        ),
    ),
    Exercise(
        title="how loud a loss is",
        hints=(
            "What moves a generator is the gradient, not the value: a constant can be large and moves nothing.",
            "Take the gradient of each on its own, by x, and compare their lengths.",
            "(a,) = torch.autograd.grad(first(x), x), the same for b, then a.norm() / b.norm().",
        ),
        answer=louder,
        watch=_watch_louder,
        right="That number is the weight that would make the second as loud as the first.",
        misconceptions=(
            Misconception(
                of_the_values,
                "values for gradients",
                "You compare the losses themselves. A loss of 100 that is flat pulls at nothing. Compare gradients.",
            ),
            Misconception(
                the_other_way,
                "the other way round",
                "You tell how much louder the second is. Asked for is the first in units of the second.",
            ),
            Misconception(
                piled_up,
                "gradients piled up",
                "backward() adds to x.grad, so your second gradient holds the first as well. Clear it in between, or "
                "take torch.autograd.grad, which keeps nothing.",
            ),
            Misconception(
                of_the_largest,
                "one number of each",
                "You compare the largest entries. The length of a gradient is its 2-norm, over all entries.",
            ),
        ),
    ),
)
