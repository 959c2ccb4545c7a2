"""The exercise of notebook 00: to get to know check, hint and solution."""

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


def watch(answer):
    return {"the certainty of four images": answer(LOGITS.clone()), "that of two": answer(LOGITS[1:3].clone())}


EXERCISES = (
    Exercise(
        title="how sure is it?",
        hints=(
            "Three steps, from the inside: probabilities for each image; the largest of each image; the mean over the "
            "images.",
            "Logits have shape (N, K): axis 0 counts images, axis 1 counts classes. The softmax runs over the classes, "
            "and so does the maximum.",
            "return logits.softmax(1).max(1).values, and of that the mean.",
        ),
        answer=certainty,
        watch=watch,
        right="This is the number that the generator will be asked to raise in notebook 03.",
        misconceptions=(
            Misconception(over_the_batch, "softmax over the batch axis",
                "Your probabilities sum to 1 over the images, so the images compete with each other. Each image has to "
                "choose among the classes: that is axis 1."),
            Misconception(largest_logit, "logit for probability",
                "You took the largest logit. Logits may be any number; only the softmax turns them into probabilities "
                "between 0 and 1."),
            Misconception(whole_batch, "largest of the whole batch",
                "That is the one image of which the teacher is surest. First the largest of each image, max(1).values, "
                "then their mean."),
            Misconception(per_image, "mean forgotten",
                "One number per image is there. What is asked for is one number for the batch: their mean."),
            Misconception(of_each_class, "maximum over the images",
                "You looked for the surest image of each class. Asked for is the surest class of each image: max(1)."),
        ),
    ),
)  # fmt: skip
