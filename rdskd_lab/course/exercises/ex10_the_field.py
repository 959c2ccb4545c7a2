"""The exercise of notebook 10: DeepInversion's term, which matches BatchNorm statistics."""

import torch

from ..exercise import Exercise, Misconception, value_and_gradient

RNG = torch.Generator().manual_seed(10)
FIRST, SECOND = (torch.randn(4, width, generator=RNG, dtype=torch.float64) for width in (3, 5))
LAYERS = [tuple(row.exp() if i % 2 else row for i, row in enumerate(layer)) for layer in (FIRST, SECOND)]
BY = "the first layer's mean"


def bn_statistics(layers):
    """R_f of layers of (mean, var, running_mean, running_var), each (C,) -> ()."""
    total = 0
    for mean, var, running_mean, running_var in layers:
        total = total + (var - running_var).norm() + (mean - running_mean).norm()  # over the channels, not squared
    return total


def squared(layers):
    return sum((v - rv).square().sum() + (m - rm).square().sum() for m, v, rm, rv in layers)


def means_only(layers):
    return sum((m - rm).norm() for m, v, rm, rv in layers)


def variances_only(layers):
    return sum((v - rv).norm() for m, v, rm, rv in layers)


def deviations(layers):
    return sum((v.sqrt() - rv.sqrt()).norm() + (m - rm).norm() for m, v, rm, rv in layers)


def mean_over_layers(layers):
    return bn_statistics(layers) / len(layers)


def mean_over_channels(layers):
    return sum((v - rv).abs().mean() + (m - rm).abs().mean() for m, v, rm, rv in layers)


def one_root_for_both(layers):
    return sum(((v - rv).square().sum() + (m - rm).square().sum()).sqrt() for m, v, rm, rv in layers)


def sums_of_absolute_differences(layers):
    return sum((v - rv).abs().sum() + (m - rm).abs().sum() for m, v, rm, rv in layers)


def order_mistaken(layers):
    return sum((v - m).norm() + (rv - rm).norm() for m, v, rm, rv in layers)


def watch(answer):
    def loss(mean):  # the gradient is with respect to the first layer's batch mean
        return answer([(mean, *map(torch.clone, LAYERS[0][1:])), tuple(map(torch.clone, LAYERS[1]))])

    one, _ = value_and_gradient(lambda mean: answer([(mean, *map(torch.clone, LAYERS[0][1:]))]), LAYERS[0][0], by=BY)
    both, gradient = value_and_gradient(loss, LAYERS[0][0], by=BY)
    return {
        "R_f of one layer": one,
        "R_f of two layers": both,
        "its gradient with respect to the first layer's mean": gradient,
    }


EXERCISES = (
    Exercise(
        title="matching statistics",
        hints=(
            "Each layer gives two distances: one between the variances and one between the means. Then sum over the "
            "layers.",
            "A distance here is the 2-norm of a difference of vectors (C,): .norm() computes it. Do not square or "
            "average it afterwards.",
            "Unpack each layer as mean, var, running_mean, running_var. Add (var - running_var).norm() and the same "
            "for the means.",
        ),
        answer=bn_statistics,
        watch=watch,
        right="This is losses.bn_statistics. The norms are not squared, so the gradient keeps its length even when the "
              "statistics nearly agree.",
        misconceptions=(
            Misconception(squared, "squared norms",
                "You square the distances. Then a layer that is far off outweighs all others, and the pull fades as "
                "the statistics come close. The released code takes the plain norms: .norm()."),
            Misconception(means_only, "the means only",
                "You forgot the variances: they show how strongly the features vary over the images."),
            Misconception(variances_only, "the variances only",
                "You forgot the means, so no gradient reaches them."),
            Misconception(one_root_for_both, "one square root for both distances",
                "You take one square root over both sums of squares. Take a norm for the variances and another for the "
                "means, and add the two."),
            Misconception(deviations, "standard deviations instead of variances",
                "You compare standard deviations. The formula and the released code compare variances."),
            Misconception(mean_over_layers, "a mean over the layers",
                "You average over the layers. The formula sums them; the weight of the term was chosen for the sum."),
            Misconception(mean_over_channels, "a mean over the channels",
                "You average the absolute differences of the channels. Take the 2-norm: square, sum, take the square "
                "root."),
            Misconception(sums_of_absolute_differences, "sums of absolute differences",
                "You sum absolute differences, the 1-norm. Take the 2-norm: square, sum, take the square root."),
            Misconception(order_mistaken, "the order of the four tensors",
                "You compare variances with means. Each layer is (mean, var, running_mean, running_var)."),
        ),
    ),
)  # fmt: skip
