"""Exercises of notebook 04: the one-hot loss, its gradient by hand, and what it cannot see."""

import torch

from ...losses import one_hot
from ..exercise import Exercise, Family, Misconception, Wrong, value_and_gradient

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.3, 0.1, 0.2], [-1.0, 4.0, 1.5], [0.0, -2.0, 0.5]], dtype=torch.float64)

# ---- 1: from scratch -------------------------------------------------------------------------------------------------


def one_hot_loss(logits):
    """L_OH of logits (N, K) -> () in nats."""
    log_p = logits.log_softmax(1)  # (N, K): over the classes of each image; better than softmax(1).log(), never -inf
    own = log_p.max(1).values  # (N,): the class that the teacher prefers is the one with the largest logit
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


def one_minus_the_certainty(logits):
    return 1 - logits.softmax(1).max(1).values.mean()


def mean_over_all_classes(logits):
    return -logits.log_softmax(1).mean()


def small_number_in_the_logarithm(epsilon):
    return lambda logits: -(logits.softmax(1).max(1).values + epsilon).log().mean()


def watch_loss(answer):
    value, gradient = value_and_gradient(answer, LOGITS, by="the logits")
    sure, _ = value_and_gradient(answer, 100 * LOGITS, by="the logits")
    return {
        "the loss of four images": value,
        "the loss of four images that the teacher is sure of": sure,
        "the gradient of the loss": gradient,
    }


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


def divided_by_the_classes(logits):
    return one_hot_gradient(logits) * len(logits) / logits.shape[1]


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


def the_other_order():
    return two_batches()[::-1]


def watch_batches(answer):
    seen, batches = {}, answer()
    if not isinstance(batches, tuple | list) or len(batches) != 2:
        raise Wrong("Return both batches: return collapsed, diverse.")
    for name, logits in zip(("first", "second"), batches, strict=True):
        logits = torch.as_tensor(logits, dtype=torch.float64)
        seen[f"shape of the {name}"] = torch.tensor(logits.shape, dtype=torch.float64)
        seen[f"L_OH of the {name}"] = one_hot(logits)
        seen[f"images of each class in the {name}"] = torch.bincount(logits.argmax(1), minlength=10).double()
    return seen


def _classes(seen, name):
    return int((seen.get(f"images of each class in the {name}", torch.zeros(1)) > 0).sum())


def judge_batches(seen):
    loss1, loss2 = (float(seen[f"L_OH of the {name}"]) for name in ("first", "second"))
    count = seen["images of each class in the second"]
    if any(seen[f"shape of the {name}"].tolist() != [50, 10] for name in ("first", "second")):
        return "Both batches should be logits of 50 images and 10 classes: tensors of shape (50, 10)."
    if max(loss1, loss2) > 0.01:
        return (
            f"L_OH should be below 0.01 nats for both batches; yours are {loss1:.4f} and {loss2:.4f}: the teacher is "
            "not sure enough of each image. Let one logit in each row lead by more."
        )
    if abs(loss1 - loss2) > 1e-6:
        return (
            f"L_OH should be the same for both batches, to within 1e-6; yours are {loss1:.7f} and {loss2:.7f}. Use the "
            "same lead in both."
        )
    if _classes(seen, "first") != 1:
        return f"The first batch should hold one class only; yours holds {_classes(seen, 'first')}."
    if len(count) != 10 or (count != 5).any():
        return f"The second batch should hold 5 images of each class; yours holds {[int(n) for n in count]}."
    return ""


EXERCISES = (
    Exercise(
        title="the one-hot loss from scratch",
        hints=(
            "Read the formula from the inside out: a softmax for each image, then one number per image, then one "
            "number for the batch. Which axis counts the images, and which the classes?",
            "log_softmax(1) gives ln p for each image. The teacher's favourite class has the largest logit and so also "
            "the largest ln p; max(1).values picks it.",
            "return -logits.log_softmax(1).max(1)... and then the mean over the images.",
        ),
        answer=one_hot_loss,
        watch=watch_loss,
        sizes=(("the number of images", 4), ("the number of classes", 3)),
        right="This is the package's lab.one_hot: the cross-entropy with the teacher's own answer as the label.",
        misconceptions=(
            Misconception(base_ten, "log10 instead of ln",
                "Your loss is 0.4343 times the right one: you use log10. In torch, log is the natural logarithm, and "
                "its unit is the nat."),
            Misconception(over_the_batch, "softmax over the batch axis",
                "Your probabilities sum to 1 over the images for each class, not over the classes for each image. "
                "Logits have shape (N, K), so the classes lie along axis 1."),
            Misconception(summed, "a sum over the batch instead of the mean",
                "Your loss grows with the number of images. Take the mean: with a sum, you would have to retune the "
                "learning rate for every batch size."),
            Misconception(log_of_mean, "the logarithm of the mean",
                "You average the probabilities first and then take the logarithm. Then one image of which the "
                "teacher is sure makes up for one of which it is not. Take the logarithm of each image's probability "
                "first, then the mean."),
            Misconception(without_minus, "no minus sign",
                "The sign is reversed: your loss is lowest where the teacher is least sure. ln p is negative, so a "
                "minus sign turns it into a cost."),
            Misconception(probability_instead, "no logarithm",
                "You use the probability itself. It has the same optimum, but hardly any gradient where the teacher is "
                "unsure. With the logarithm, unsure images pull hardest."),
            Misconception(one_minus_the_certainty, "one minus the certainty",
                "You return 1 minus the mean certainty. It has the same optimum, but hardly any gradient where the "
                "teacher is unsure. Take minus the logarithm of each probability, then the mean."),
            Misconception(mean_over_all_classes, "a mean over all classes",
                "You average ln p over all classes of each image. That rewards an undecided teacher. Use only the "
                "teacher's favourite class: max(1).values."),
            Misconception(logit_instead, "the logit instead of the probability",
                "You took the largest logit. Add 5 to all ten logits: the teacher's answer stays the same, but your "
                "loss changes. Use the softmax, which compares the classes."),
            Misconception(entropy_instead, "the entropy instead of the cross-entropy",
                "You weight each class by its probability, which gives the entropy of each answer. It is also 0 for an "
                "image that the teacher is sure of, but the formula uses only one class, the teacher's favourite, with "
                "weight 1."),
        ),
        families=(
            Family(small_number_in_the_logarithm, "a small number inside the logarithm changes the value",
                "You add about {number} inside the logarithm. Use log_softmax instead: it never takes the logarithm of "
                "0, so you need not add anything."),
        ),
    ),
    Exercise(
        title="its gradient by hand",
        hints=(
            "Begin with one image. ln p_k = t_k - ln sum_j exp(t_j). What is the derivative of the second part with "
            "respect to t_j?",
            "It is p_j. So, for one image, d(-ln p_own)/dt_j is p_j, minus 1 if j is the favourite class. Then "
            "remember the mean over N images.",
            "p - own, with own = torch.nn.functional.one_hot(logits.argmax(1), K), and then a division.",
        ),
        answer=one_hot_gradient,
        watch=watch_gradient,
        sizes=(("the number of images", (4, 2)), ("the number of classes", 3)),
        right="Each row sums to 0: what the favourite gains, the others lose. Where p is already 1, nothing pulls.",
        misconceptions=(
            Misconception(forgot_the_mean, "no mean over the batch",
                "Each row is right for one image alone. L_OH is a mean over N images, so divide by N."),
            Misconception(divided_by_the_classes, "divided by the number of classes",
                "You divide by K, the number of classes. L_OH is a mean over the images: divide by N, len(logits)."),
            Misconception(uphill, "the sign reversed",
                "Your gradient points the wrong way. The loss falls as the favourite's logit rises, so the gradient "
                "there is negative: p - 1."),
            Misconception(own_class_only, "only the favourite class",
                "The favourite's entry is right, but all others are 0. The other logits are in the denominator of the "
                "softmax: raising one of them lowers the favourite's probability, so its gradient is p_j."),
            Misconception(of_the_probabilities, "the gradient of the probabilities",
                "This is dL/dp = -1/p, the gradient with respect to the probabilities. The logits come one step "
                "earlier, so multiply by the derivative of the softmax: this gives p - 1 for the favourite and p_j for "
                "the others."),
        ),
    ),
    Exercise(
        title="two batches that it cannot tell apart",
        hints=(
            "You write the teacher's answers yourself, so you need no images. By how much must one logit lead so that "
            "-ln p is below 0.01?",
            "If one logit is a and the other nine are 0, then -ln p = ln(1 + 9 exp(-a)). Try a = 10.",
            "Start from torch.zeros(50, 10). For the first batch, fill one column with 10. For the second, put the 10 "
            "of image i into column i % 10.",
        ),
        answer=two_batches,
        watch=watch_batches,
        judge=judge_batches,
        right="L_OH is a mean over single images, so it cannot see the batch as a whole. The next notebook's loss can.",
        misconceptions=(
            Misconception(probabilities_for_logits, "probabilities instead of logits",
                "Your rows look like probabilities, 1 for one class and 0 for the others. But they are read as logits, "
                "and a lead of 1 gives a probability of only 0.23. Let one logit in each row lead by more."),
            Misconception(even_in_each_image, "each image undecided",
                "In your second batch every image is a bit of every class. The mean answer over the batch is even, but "
                "the teacher is not sure of any image. Let the teacher be sure of one class for each image, and vary "
                "the class.",
                lambda seen: float(seen.get("L_OH of the second", 0)) > 2),
            Misconception(twice_the_same, "the same batch twice",
                "Both batches hold one class only. Put five images of each of the ten classes into the second batch."),
            Misconception(the_other_order, "the batches in the other order",
                "You return the diverse batch first. Return the one with a single class first: collapsed, diverse.",
                lambda seen: _classes(seen, "first") == 10 and _classes(seen, "second") == 1),
        ),
    ),
)  # fmt: skip
