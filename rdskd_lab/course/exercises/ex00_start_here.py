"""The exercise of notebook 00, a first look at check, hint and solution."""

import torch

from ..exercise import Exercise, Misconception

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.3, 0.1, 0.2], [-1.0, 4.0, 1.5], [0.0, -2.0, 0.5]], dtype=torch.float64)


def certainty(logits):
    """Logits (N, K) -> (): the mean over images of the largest probability."""
    p = logits.softmax(1)  # (N, K): each row sums to 1
    return p.max(1).values.mean()


def over_the_batch(logits):
    return logits.softmax(0).max(1).values.mean()


def largest_logit(logits):
    return logits.max(1).values.mean()


def whole_batch(logits):
    return logits.softmax(1).max()


def per_image(logits):
    return logits.softmax(1).max(1).values


def of_each_class(logits):
    return logits.softmax(1).max(0).values.mean()


def of_all_probabilities(logits):
    return logits.softmax(1).mean()


def watch(answer):
    return {
        "the certainty of four images": answer(LOGITS.clone()),
        "the certainty of two images": answer(LOGITS[1:3].clone()),
    }


EXERCISES = (
    Exercise(
        title="how sure is it?",
        hints=(
            "Work in three steps: the probabilities of each image, the largest probability of each image, the mean "
            "over the images.",
            "Logits have shape (N, K): axis 0 counts the images, axis 1 counts the classes. Take the softmax and the "
            "maximum over the classes.",
            "Compute logits.softmax(1).max(1).values, then take its mean.",
        ),
        answer=certainty,
        watch=watch,
        sizes=(("the number of images", (4, 2)), ("the number of classes", 3)),
        right="In notebook 04, a generator will be trained to raise this number.",
        misconceptions=(
            Misconception(over_the_batch, "softmax over the batch axis",
                "Your probabilities sum to 1 over the images, so the images compete with each other. The classes of "
                "one image should compete: use axis 1."),
            Misconception(largest_logit, "the logit instead of the probability",
                "You took the largest logit. A logit can be any number. Apply the softmax first: it turns logits into "
                "probabilities between 0 and 1."),
            Misconception(whole_batch, "the largest of the whole batch",
                "You return the probability of the one image that the teacher is surest of. First take the largest "
                "probability of each image, max(1).values, then the mean."),
            Misconception(per_image, "no mean",
                "You return one number per image. Return one number for the batch: their mean."),
            Misconception(of_each_class, "the maximum over the images",
                "You took the largest probability of each class over the images. Take the largest probability of each "
                "image over the classes: max(1)."),
            Misconception(of_all_probabilities, "the mean of all probabilities",
                "The probabilities of an image sum to 1, so their mean is always 1/K, whatever the teacher answers. "
                "First take the largest probability of each image, max(1).values."),
        ),
    ),
)  # fmt: skip
