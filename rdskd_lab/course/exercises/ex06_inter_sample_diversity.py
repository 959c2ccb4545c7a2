"""Exercises of notebook 06: the quotient, the quotient without the trap, and how hard a loss pulls."""

import math

import torch

from ..exercise import Exercise, Family, Misconception, value_and_gradient

_rng = torch.Generator().manual_seed(0)
IMAGES = torch.randn(6, 1, 4, 4, generator=_rng, dtype=torch.float64)  # three pairs: i and i + 3
LOGITS = torch.randn(6, 3, generator=_rng, dtype=torch.float64)
PROBS = LOGITS.softmax(1)
SAME_ANSWERS = PROBS[:3].repeat(2, 1)  # paired answers coincide, the images do not
SAME_IMAGES = IMAGES[:3].repeat(2, 1, 1, 1)

# ---- 1: the loss -----------------------------------------------------------------------------------------------------


def diversity(images, probs):
    """L_DS of images (N, C, S, S) and probs (N, K) -> (): one norm divided by another, both over all pairs."""
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


def absolute_differences(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return (p2 - p1).abs().sum() / ((x2 - x1).abs().sum() + 1e-8)


def mean_norms(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return (p2 - p1).norm(dim=1).mean() / ((x2 - x1).flatten(1).norm(dim=1).mean() + 1e-8)


def epsilon_below(epsilon):
    def answer(images, probs):
        (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
        return (p2 - p1).norm() / ((x2 - x1).norm() + epsilon)

    return answer


def _watch_loss(answer) -> dict:
    value, gradient = value_and_gradient(answer, IMAGES, PROBS, by="the images")
    by_probs, its = value_and_gradient(
        lambda probs, images: answer(images, probs), PROBS, IMAGES, by="the teacher's answers"
    )
    closer, _ = value_and_gradient(answer, IMAGES / 10, PROBS, by="the images")
    return {
        "the loss of three pairs": value,
        "its gradient with respect to the images": gradient,
        "its gradient with respect to the answers": its,
        "the loss of three pairs whose images are ten times closer": closer,
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


def much_added(epsilon):
    return lambda a, b: a.norm() / (b.norm() + epsilon)


def squares(a, b):
    return a.square().sum() / (b.square().sum() + 1e-8)


def square_root(a, b):
    return a.square().sum().sqrt() / (b.square().sum().sqrt() + 1e-8)


FINITE, NOT = "finite", "NaN or infinite"
NEARLY = 1e-5  # relative: an epsilon of 1e-6 is small enough


def _watch_safe(answer) -> dict:
    a, b = PROBS[3:] - PROBS[:3], IMAGES[3:] - IMAGES[:3]
    value, _ = value_and_gradient(answer, a, b, by="a")
    closer, _ = value_and_gradient(answer, a, b / 10, by="a")
    seen = {"the quotient of two ordinary differences": value, "the quotient where b is ten times smaller": closer}
    for words, top, below in (
        ("answers coincide", 0 * a, b),
        ("answers and images both coincide", 0 * a, 0 * b),
        ("images coincide", a, 0 * b),
    ):
        value, by_top = value_and_gradient(answer, top, below, by="a", where=f"where {words},")
        tracked = [x.clone().requires_grad_() for x in (top, below)]
        (by_below,) = torch.autograd.grad(answer(*tracked), tracked[1], allow_unused=True, materialize_grads=True)
        found = {"value": value, "gradient with respect to a": by_top, "gradient with respect to b": by_below}
        for what, number in found.items():
            seen[f"the {what} where {words}"] = FINITE if number.isfinite().all() else NOT
    return seen


def _wrong_only_where(*places: str):
    """Recognise an answer whose ordinary value is right and which is not finite in exactly these places."""

    def recognise(seen: dict) -> bool:
        ordinary = float(seen.get("the quotient of two ordinary differences", 0))
        return math.isclose(ordinary, RIGHT, rel_tol=NEARLY) and {
            key for key, value in seen.items() if value == NOT
        } == set(places)

    return recognise


RIGHT = float(safe_quotient(PROBS[3:] - PROBS[:3], IMAGES[3:] - IMAGES[:3]))

# ---- 3: how loud -----------------------------------------------------------------------------------------------------


def louder(first, second, x):
    """How many times longer the gradient of first(x) is than that of second(x), both with respect to x."""
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


def one_gradient_under_two_names(first, second, x):
    x.grad = None
    first(x).backward()
    a = x.grad
    second(x).backward()
    b = x.grad
    return a.norm() / b.norm()


def sums_of_absolute_entries(first, second, x):
    (a,) = torch.autograd.grad(first(x), x)
    (b,) = torch.autograd.grad(second(x), x)
    return a.abs().sum() / b.abs().sum()


def of_the_largest(first, second, x):
    (a,) = torch.autograd.grad(first(x), x)
    (b,) = torch.autograd.grad(second(x), x)
    return a.abs().max() / b.abs().max()


def _plus_two(x):
    """x ↦ (sum of x²) + 2"""
    return x.square().sum() + 2


def _thirty(x):
    """x ↦ 30 · (sum of x²)"""
    return 30 * x.square().sum()


def _cubic(x):
    """x ↦ sum of x³"""
    return x.pow(3).sum()


def _sine(x):
    """x ↦ sum of sin x"""
    return x.sin().sum()


def _watch_louder(answer) -> dict:
    seen = {}
    for words, first, second in (
        ("the ratio for first = x² + 2, second = 30 x²", _plus_two, _thirty),
        ("the ratio for first = x³, second = sin x", _cubic, _sine),
    ):
        x = IMAGES[:1].clone().requires_grad_()
        seen[words] = torch.as_tensor(answer(first, second, x), dtype=torch.float64).detach()
    return seen


EXERCISES = (
    Exercise(
        title="the diversity-seeking loss from scratch",
        hints=(
            "A pair consists of one image from each half of the batch: image i and image i + N/2. chunk(2) splits a "
            "tensor into its halves.",
            "You need one number in the numerator and one in the denominator. Each is a single norm over all pairs.",
            "(p2 - p1).norm() / ((x2 - x1).norm() + 1e-8): .norm() without dim runs over the whole tensor.",
        ),
        answer=diversity,
        watch=_watch_loss,
        right="One norm over all answers, divided by one norm over all pixels, as in the released code.",
        misconceptions=(
            Misconception(mean_over_pairs, "a quotient for each pair",
                "You take a quotient for each pair, then the mean. That is a sensible loss, and the package offers it "
                "as diversity_seeking_pairs. The released code takes a single norm over all pairs: divide one norm by "
                "the other."),
            Misconception(mean_norms, "the mean of the norms of the pairs",
                "You average the norms of the pairs, in the numerator and in the denominator. The released code takes "
                "a single norm over all pairs: .norm() without dim."),
            Misconception(upside_down, "the quotient inverted",
                "Your loss falls when the images become alike. The distance between the images should grow, and a loss "
                "is minimised, so this distance belongs in the denominator."),
            Misconception(squared_distances, "squares instead of norms",
                "You forgot the square root: a norm is the square root of a sum of squares. Yours is the square of the "
                "loss."),
            Misconception(means_for_norms, "mean absolute differences instead of norms",
                "You take mean absolute differences, as MSGAN does. Take the 2-norm in both places: the square root of "
                "the sum of squares."),
            Misconception(absolute_differences, "sums of absolute differences instead of norms",
                "You sum absolute differences, which is the 1-norm. Take the 2-norm in both places: the square root of "
                "the sum of squares, .norm()."),
            Misconception(root_mean_squares, "root mean squares instead of norms",
                "You divide each sum of squares by its number of entries. Take the square root of the plain sum. There "
                "are many more pixels than probabilities, which makes the released loss small."),
            Misconception(neighbours, "other pairs",
                "You pair neighbours, image 0 with 1 and 2 with 3. The released code pairs the halves: image i with "
                "image i + N/2."),
            Misconception(softmax_again, "the softmax twice",
                "Your function gets probabilities. Another softmax makes the probabilities nearly equal and all "
                "answers alike. Use them as they are."),
        ),
        families=(
            Family(epsilon_below, "an epsilon that changes the value",
                "You add about {number} to the denominator, which changes the value. Add much less, such as 1e-8."),
        ),
    ),
    Exercise(
        title="the quotient without the trap",
        hints=(
            "Follow the numbers: when |a| is 0, what is |b| / |a|? And what is infinity times 0 in the backward pass?",
            "If a denominator may be 0, add a small number to it. One division is safer than two.",
            "a.norm() / (b.norm() + 1e-8). At 0, torch gives norm() the gradient 0; the square root of a sum has no "
            "finite gradient there.",
        ),
        answer=safe_quotient,
        watch=_watch_safe,
        rtol=NEARLY,
        right="It is finite everywhere: where nothing differs, the loss and its gradient are 0.",
        misconceptions=(
            Misconception(literal, "the form of the released code",
                "This is right for ordinary numbers. Where the answers coincide, |b| / |a| is infinite: the value, 1 / "
                "infinity, is 0, but the gradient is 0 times infinity, which is NaN. Where the images coincide too, "
                "the value is 0 / 0. Divide only once: |a| by |b| plus a small number.",
                recognise=_wrong_only_where(
                    "the gradient with respect to a where answers coincide",
                    "the gradient with respect to b where answers coincide",
                    "the value where answers and images both coincide",
                    "the gradient with respect to a where answers and images both coincide",
                    "the gradient with respect to b where answers and images both coincide",
                )),
            Misconception(bare, "nothing added to the denominator",
                "Where the images coincide, you divide by 0. Add a small number to the denominator."),
            Misconception(nan_to_num, "nan_to_num repairs the value, not the gradient",
                "The values are finite. But the backward pass still goes through something infinite (a division by 0, "
                "or the slope of a square root at 0), so the gradient is NaN. Prevent the NaN: add a small number to "
                "the denominator."),
            Misconception(squares, "squares instead of norms",
                "You divide sums of squares. A norm is the square root of a sum of squares. You may use torch's "
                "norm(), because its gradient at 0 is 0."),
            Misconception(square_root, "the root of a sum at 0",
                "The values are right everywhere. But the slope of a square root at 0 is infinite, and 0 times "
                "infinity is NaN. Use torch's norm(), which takes 0 as the gradient there."),
        ),
        families=(
            Family(much_added, "an epsilon that changes the value",
                "You add about {number} to the denominator, which changes ordinary values. Add much less, such as "
                "1e-8.",
                1e-9, 1e3),
        ),
    ),
    Exercise(
        title="how hard a loss pulls",
        hints=(
            "What changes a generator is the gradient, not the value: adding a large constant to a loss changes "
            "nothing.",
            "Take the gradient of each loss with respect to x on its own, and compare their lengths.",
            "(a,) = torch.autograd.grad(first(x), x), the same for b, then a.norm() / b.norm().",
        ),
        answer=louder,
        watch=_watch_louder,
        right="With this number as its weight, the second loss is as loud as the first.",
        misconceptions=(
            Misconception(of_the_values, "values instead of gradients",
                "You compare the losses themselves. A loss that is 100 everywhere does not pull at all. Compare "
                "gradients."),
            Misconception(the_other_way, "the other way round",
                "You return how much louder the second loss is. Divide the length of the first gradient by that of the "
                "second."),
            Misconception(piled_up, "gradients that add up",
                "backward() adds to x.grad, so your second gradient contains the first. Set x.grad to None in between, "
                "or use torch.autograd.grad."),
            Misconception(one_gradient_under_two_names, "one gradient under two names",
                "`a = x.grad` makes no copy: backward() and zero_() change that same tensor, so a and b are the same "
                "tensor, and the ratio is 1. Use x.grad.clone() and set x.grad to None in between, or use "
                "torch.autograd.grad."),
            Misconception(of_the_largest, "the largest entries",
                "You compare the largest entries. The length of a gradient is its 2-norm, over all entries."),
            Misconception(sums_of_absolute_entries, "sums of absolute entries",
                "You compare sums of absolute entries, the 1-norm. The length of a gradient is its 2-norm: .norm()."),
        ),
    ),
)  # fmt: skip
