"""The exercise of notebook 01: how many classes are there, effectively?"""

import torch

from ..exercise import Exercise, Misconception

EVEN = torch.full((10,), 4.0, dtype=torch.float64)
COUNTS = torch.tensor([10.0, 8.0, 8.0, 6.0, 4.0, 2.0, 1.0, 1.0, 0.0, 0.0], dtype=torch.float64)
TWO = torch.tensor([20.0, 20.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], dtype=torch.float64)


def effective_classes(counts):
    """Numbers of images per class (K,) -> (): exp of the entropy of the shares; a class may have no images."""
    share = counts / counts.sum()
    return torch.special.entr(share).sum().exp()  # entr(p) = -p ln p, and 0 where p is 0


def classes_that_occur(counts):
    return (counts > 0).sum()


def entropy_alone(counts):
    return torch.special.entr(counts / counts.sum()).sum()


def counts_for_shares(counts):
    return -(counts * counts.clamp_min(1e-300).log()).sum()


def two_to_the_entropy(counts):
    return 2 ** torch.special.entr(counts / counts.sum()).sum()


def one_by_the_sum_of_squares(counts):
    return 1 / (counts / counts.sum()).square().sum()


def without_the_empty_ones(counts):
    share = counts / counts.sum()
    return (-(share * share.log()).sum()).exp()


def watch(answer):
    return {
        "the effective number of ten classes of four images each": answer(EVEN.clone()),
        "the effective number of two classes of twenty images each": answer(TWO.clone()),
        "the effective number of classes for 10, 8, 8, 6, 4, 2, 1, 1, 0 and 0 images": answer(COUNTS.clone()),
    }


EXERCISES = (
    Exercise(
        title="effective classes",
        hints=(
            "Turn the counts into shares that sum to 1. How evenly are the images distributed?",
            "The entropy -sum of p ln p measures how even the shares are. Take exp of it. Remember that 0 ln 0 counts "
            "as 0.",
            "Compute torch.special.entr(counts / counts.sum()), sum it, and take exp of the sum.",
        ),
        answer=effective_classes,
        watch=watch,
        sizes=(("the number of images", 40), ("the number of classes", 10)),
        right="Ten equally frequent classes give 10; a single class gives 1. The lab shows this number at the top.",
        misconceptions=(
            Misconception(classes_that_occur, "the classes that occur",
                "You count the classes with at least one image. Then a class with one of the forty images counts as "
                "much as a class with ten. Take exp of the entropy of the shares."),
            Misconception(entropy_alone, "the entropy itself",
                "You return the entropy, which is ln 10 = 2.3 for ten equally frequent classes. Take exp of it to get "
                "a number of classes."),
            Misconception(counts_for_shares, "counts instead of shares",
                "You use the counts themselves. Divide them by their sum first: shares sum to 1."),
            Misconception(two_to_the_entropy, "a power of 2",
                "Your entropy uses the natural logarithm, so take exp of it, not a power of 2."),
            Misconception(one_by_the_sum_of_squares, "one divided by the sum of squares",
                "That is another way to count classes (the inverse Simpson index). The two agree only when all classes "
                "that occur are equally frequent. Here, take exp of the entropy."),
            Misconception(without_the_empty_ones, "a class without images",
                "A class without images has share 0, and 0 times ln 0 is NaN in torch. Treat this case as 0, as "
                "torch.special.entr does."),
        ),
    ),
)  # fmt: skip
