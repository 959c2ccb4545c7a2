"""Exercises of notebook 03: the one-hot loss, its gradient by hand, and what it cannot see."""

import torch

from ...losses import one_hot
from ..exercise import Exercise, Misconception, Wrong, value_and_gradient

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.3, 0.1, 0.2], [-1.0, 4.0, 1.5], [0.0, -2.0, 0.5]], dtype=torch.float64)

# ---- 1: from scratch -------------------------------------------------------------------------------------------------


def one_hot_loss(logits):
    """L_OH of logits (N, K) -> () in nats."""
    log_p = logits.log_softmax(1)  # (N, K): over the classes of each image; better than softmax(1).log(), never -inf
    own = log_p.max(1).values  # (N,): the class that the teacher prefers is the one of the largest logit
    return -own.mean()


def base_ten(logits):
    return -logits.softmax(1).max(1).values.log10().mean()


def over_the_batch(logits):
    return -logits.log_softmax(0).max(1).values.mean()


def summed(logits):
    return -logits.log_softmax(1).max(1).values.sum()


def log_of_mean(logits):
    return -logits.softmax(1).max(1).values.mean().log()


def without_minus(logits):
    return logits.log_softmax(1).max(1).values.mean()


def probability_instead(logits):
    return -logits.softmax(1).max(1).values.mean()


def logit_instead(logits):
    return -logits.max(1).values.mean()


def entropy_instead(logits):
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1).mean()


def watch_loss(answer):
    value, gradient = value_and_gradient(answer, LOGITS)
    sure, _ = value_and_gradient(answer, 100 * LOGITS)
    return {"the loss of four images": value, "the loss of four sure images": sure, "its gradient": gradient}


# ---- 2: its gradient by hand -----------------------------------------------------------------------------------------


def one_hot_gradient(logits):
    """dL_OH/dt of logits t (N, K) -> (N, K), without autograd."""
    p = logits.softmax(1)
    own = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1])  # (N, K): 1 at the teacher's own class
    return (p - own) / len(logits)  # the mean over the batch divides by N


def forgot_the_mean(logits):
    return logits.softmax(1) - torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1])


def uphill(logits):
    return -one_hot_gradient(logits)


def own_class_only(logits):
    own = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1])
    return one_hot_gradient(logits) * own


def of_the_probabilities(logits):
    p = logits.softmax(1)
    own = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1])
    return -own / p / len(logits)


def watch_gradient(answer):
    gradient = torch.as_tensor(answer(LOGITS.clone()), dtype=torch.float64)
    return {"the gradient of four images": gradient, "the gradient of two images": answer(LOGITS[1:3].clone())}


# ---- 3: what it cannot see -------------------------------------------------------------------------------------------


def two_batches():
    """Logits of two batches, each (50, 10): (one class only, all ten equally often)."""
    sure = 10.0  # nats by which one class leads: its probability is then 0.9996
    classes = torch.arange(50) % 10
    collapsed = torch.zeros(50, 10)
    collapsed[:, 3] = sure
    diverse = torch.zeros(50, 10)
    diverse[torch.arange(50), classes] = sure
    return collapsed, diverse


def probabilities_for_logits():
    collapsed, diverse = two_batches()
    return collapsed / 10, diverse / 10


def even_in_each_image():
    collapsed, _ = two_batches()
    return collapsed, torch.zeros(50, 10)


def twice_the_same():
    collapsed, _ = two_batches()
    return collapsed, collapsed.clone()


def watch_batches(answer):
    seen, batches = {}, answer()
    if not isinstance(batches, tuple | list) or len(batches) != 2:
        raise Wrong("Give both batches: return collapsed, diverse.")
    for name, logits in zip(("first", "second"), batches, strict=True):
        logits = torch.as_tensor(logits, dtype=torch.float64)
        seen[f"shape of the {name}"] = torch.tensor(logits.shape, dtype=torch.float64)
        seen[f"L_OH of the {name}"] = one_hot(logits)
        seen[f"images of each class in the {name}"] = torch.bincount(logits.argmax(1), minlength=10).double()
    return seen


def judge_batches(seen):
    loss1, loss2 = (float(seen[f"L_OH of the {name}"]) for name in ("first", "second"))
    count1, count2 = (seen[f"images of each class in the {name}"] for name in ("first", "second"))
    if any(seen[f"shape of the {name}"].tolist() != [50, 10] for name in ("first", "second")):
        return "Both batches should be logits of 50 images and 10 classes: shape (50, 10)."
    if max(loss1, loss2) > 0.01:
        return f"L_OH should be below 0.01 nats for both; yours are {loss1:.4f} and {loss2:.4f}."
    if abs(loss1 - loss2) > 1e-6:
        return f"L_OH should be the same for both, to within 1e-6; yours are {loss1:.7f} and {loss2:.7f}."
    if (count1 > 0).sum() != 1:
        return f"In the first batch all images should be of one class; yours has {int((count1 > 0).sum())}."
    if len(count2) != 10 or (count2 != 5).any():
        return f"In the second batch each class should have 5 images; yours have {[int(n) for n in count2]}."
    return ""


EXERCISES = (
    Exercise(
        title="the one-hot loss from scratch",
        hints=(
            "Read the formula from the inside: first a softmax for each image, then one number per image, then one "
            "number for the batch. Which axis is the images', which the classes'?",
            "log_softmax(1) gives ln p for each image; the teacher's own class has the largest logit, so also the "
            "largest ln p, and max(1).values picks it.",
            "return -logits.log_softmax(1).max(1)... and then the mean over the images.",
        ),
        answer=one_hot_loss,
        watch=watch_loss,
        right="It is the package's lab.one_hot: the cross-entropy with the teacher's own answer as the label.",
        misconceptions=(
            Misconception(base_ten, "log10 for ln",
                "Your loss is 0.4343 times the right one everywhere: log10 where ln is meant. In torch the natural "
                "logarithm is log; the unit is then the nat."),
            Misconception(over_the_batch, "softmax over the batch axis",
                "Your probabilities sum to 1 over the images of a class, not over the classes of an image. Logits are "
                "(N, K), images first, so the classes are axis 1."),
            Misconception(summed, "sum over the batch for the mean",
                "Your loss grows with the number of images. With a mean it does not matter whether a batch has 64 or "
                "512 of them; with a sum the learning rate would have to know."),
            Misconception(log_of_mean, "logarithm of the mean",
                "You average the probabilities first and then take the logarithm. Then one very sure image makes up "
                "for an unsure one. Take the logarithm of each image's probability, then the mean."),
            Misconception(without_minus, "minus forgotten",
                "The sign is turned round: your loss is lowest where the teacher is least sure. ln p is negative, so "
                "the minus makes it a cost."),
            Misconception(probability_instead, "probability without its logarithm",
                "You ask for a high probability itself. That has the same optimum, but hardly any gradient where the "
                "teacher is unsure; the logarithm is what makes unsure images pull."),
            Misconception(logit_instead, "logit for probability",
                "You took the largest logit. A logit says nothing alone: adding 5 to all ten changes no answer of the "
                "teacher, but would change your loss. The softmax compares the classes."),
            Misconception(entropy_instead, "entropy for the cross-entropy",
                "You weigh every class by its probability, which is the entropy of each answer. It is 0 for a sure "
                "image too, but the formula takes one class alone, the teacher's favourite, with weight 1."),
        ),
    ),
    Exercise(
        title="its gradient by hand",
        hints=(
            "Do one image first. ln p_k = t_k - ln sum_j exp(t_j). What is the derivative of the second part with "
            "respect to t_j?",
            "It is p_j. So for one image d(-ln p_own)/dt_j = p_j, minus 1 where j is the own class. Then think of the "
            "mean over N images.",
            "p - own, with own = torch.nn.functional.one_hot(logits.argmax(1), K), and a division.",
        ),
        answer=one_hot_gradient,
        watch=watch_gradient,
        right="Each row sums to 0: what the own class gains the others lose. And where p is 1 already, nothing pulls.",
        misconceptions=(
            Misconception(forgot_the_mean, "mean over the batch forgotten",
                "Each row is right for one image alone. L_OH is a mean over N images, so each image moves it by 1/N."),
            Misconception(uphill, "sign turned round",
                "This points uphill. At the own class the loss falls as the logit rises, so the gradient there is "
                "negative: p - 1."),
            Misconception(own_class_only, "only the own class",
                "At the own class it is right, elsewhere you have 0. But the other logits stand in the denominator of "
                "the softmax: raising one of them lowers the own probability, so the loss rises by p_j."),
            Misconception(of_the_probabilities, "gradient of the probabilities",
                "This is dL/dp = -1/p. The logits come one step earlier: the softmax in between has a derivative too, "
                "and with it the two together become simple."),
        ),
    ),
    Exercise(
        title="two batches that it cannot tell apart",
        hints=(
            "You write the teacher's answers yourself: no images are needed. How far must one logit lead so that "
            "-ln p is below 0.01?",
            "If one logit is a and the nine others are 0, then -ln p = ln(1 + 9 exp(-a)). Try a = 10.",
            "Start from torch.zeros(50, 10). For the first batch fill one column with 10; for the second put the 10 "
            "of image i into column i % 10.",
        ),
        answer=two_batches,
        watch=watch_batches,
        judge=judge_batches,
        right="L_OH is a mean over single images, so it cannot see what the batch as a whole looks like. That is the "
              "next notebook's loss.",
        misconceptions=(
            Misconception(probabilities_for_logits, "probabilities for logits",
                "Your rows look like probabilities, 1 for a class and 0 for the others. But they are taken for "
                "logits: the softmax of a lead of 1 is only 0.23. Let the logit lead by more."),
            Misconception(even_in_each_image, "even within each image",
                "In your second batch every image is a bit of every class, so the mean over the batch is even, but "
                "the teacher is not sure of a single image. Make each image sure of a class, and the classes differ "
                "between the images.",
                lambda seen: float(seen.get("L_OH of the second", 0)) > 2),
            Misconception(twice_the_same, "twice the same batch",
                "Both batches hold one class only. The second should have five images of each of the ten classes."),
        ),
    ),
)  # fmt: skip
