"""Wrong ideas about the exercises, and what the checks say to them: `python benchmarks/wrong_ideas.py` prints a table.

All were written down before the checks were rewritten (results/wrong_ideas.md). The checks may be written for the first
forty; the last sixteen were left alone, to see what happens to an idea that nobody thought of.
"""

import torch
import torch.nn.functional as F
from torch import nn

import rdskd_lab as lab
from rdskd_lab.course.exercises import ex10_the_field as ex10
from rdskd_lab.course.exercises import ex11_your_own_teacher as ex11
from rdskd_lab.course.lesson import find_exercises

IDEAS = []  # (notebook, exercise, what the learner thought, answer)
FORTY = 40  # and sixteen more


def idea(notebook: str, number: int, words: str):
    """Note the function below as a wrong answer to an exercise."""

    def note(answer):
        IDEAS.append((notebook, number, words, answer))
        return answer

    return note


@idea("00_start_here", 1, "the mean of all probabilities")
def _(logits):
    return logits.softmax(1).mean()


@idea("02_distillation", 1, "squared differences of the probabilities")
def _(student, teacher, temperature):
    p, q = ((t / temperature).softmax(1) for t in (teacher, student))
    return temperature**2 * (p - q).square().sum(1).mean()


@idea("02_distillation", 1, "a minus in front, as for a cross-entropy")
def _(student, teacher, temperature):
    log_p, log_q = ((t / temperature).log_softmax(1) for t in (teacher, student))
    return -(temperature**2) * (log_p.exp() * (log_p - log_q)).sum(1).mean()


@idea("02_distillation", 1, "only the student divided by T")
def _(student, teacher, temperature):
    log_p, log_q = teacher.log_softmax(1), (student / temperature).log_softmax(1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(1).mean()


@idea("02_distillation", 1, "no temperature at all")
def _(student, teacher, temperature):
    log_p, log_q = teacher.log_softmax(1), student.log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1).mean()


@idea("03_generator", 1, "rows repeated pixel by pixel, columns as a whole")
def _(images):
    return images.repeat_interleave(2, 2).repeat(1, 1, 1, 2)


@idea("03_generator", 2, "each channel stretched from -1 to 1")
def _(images):
    low, high = images.amin((0, 2, 3), keepdim=True), images.amax((0, 2, 3), keepdim=True)
    return 2 * (images - low) / (high - low) - 1


@idea("03_generator", 2, "mean over the batch only, spread over everything of a channel")
def _(images):
    return (images - images.mean(0)) / images.std((0, 2, 3), unbiased=False, keepdim=True)


@idea("03_generator", 3, "the teacher's own answer as the label")
def _(teacher, start, labels, steps, lr):
    x = start.clone()
    for _ in range(steps):
        x.requires_grad_()
        logits = teacher(x)
        x = (x - lr * torch.autograd.grad(F.cross_entropy(logits, logits.argmax(1)), x)[0]).detach()
    return x


@idea("04_authenticity", 1, "one minus the mean certainty")
def _(logits):
    return 1 - logits.softmax(1).max(1).values.mean()


@idea("04_authenticity", 1, "the mean over all classes")
def _(logits):
    return -logits.log_softmax(1).mean()


@idea("04_authenticity", 2, "divided by the classes, not by the images")
def _(logits):
    own = F.one_hot(logits.argmax(1), logits.shape[1])
    return (logits.softmax(1) - own) / logits.shape[1]


@idea("04_authenticity", 2, "sign turned round, and no mean")
def _(logits):
    return F.one_hot(logits.argmax(1), logits.shape[1]) - logits.softmax(1)


@idea("04_authenticity", 3, "a lead of 3 is surely enough")
def _():
    collapsed, diverse = torch.zeros(50, 10), torch.zeros(50, 10)
    collapsed[:, 0] = 3.0
    diverse[torch.arange(50), torch.arange(50) % 10] = 3.0
    return collapsed, diverse


@idea("04_authenticity", 3, "the two batches in the other order")
def _():
    collapsed, diverse = torch.zeros(50, 10), torch.zeros(50, 10)
    collapsed[:, 0] = 10.0
    diverse[torch.arange(50), torch.arange(50) % 10] = 10.0
    return diverse, collapsed


@idea("05_class_diversity", 1, "the entropy as a share of ln K")
def _(logits):
    mean = logits.softmax(1).mean(0).clamp_min(1e-300)
    return (mean * mean.log()).sum() / torch.tensor(float(logits.shape[1]), dtype=mean.dtype).log()


@idea("05_class_diversity", 1, "1e-3 added inside the logarithm")
def _(logits):
    mean = logits.softmax(1).mean(0)
    return (mean * (mean + 1e-3).log()).sum()


@idea("05_class_diversity", 2, "a lead of 4 is surely enough")
def _():
    return 4 * torch.eye(3).repeat(2, 1)


@idea("05_class_diversity", 3, "weight 0")
def _():
    return {"oh": 1.0, "ie": 0.0}


@idea("06_inter_sample_diversity", 1, "sums of absolute differences")
def _(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return (p2 - p1).abs().sum() / ((x2 - x1).abs().sum() + 1e-8)


@idea("06_inter_sample_diversity", 1, "the mean norm of a pair, above and below")
def _(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return (p2 - p1).norm(dim=1).mean() / ((x2 - x1).flatten(1).norm(dim=1).mean() + 1e-8)


@idea("06_inter_sample_diversity", 1, "only the images, to be far apart")
def _(images, probs):
    x1, x2 = images.chunk(2)
    return -(x2 - x1).norm()


@idea("06_inter_sample_diversity", 1, "1e-2 added below")
def _(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return (p2 - p1).norm() / ((x2 - x1).norm() + 1e-2)


@idea("06_inter_sample_diversity", 2, "1e-3 added below")
def _(a, b):
    return a.norm() / (b.norm() + 1e-3)


@idea("06_inter_sample_diversity", 2, "0 returned where b is 0")
def _(a, b):
    return a.norm() / b.norm() if b.norm() > 0 else torch.tensor(0.0)


@idea("06_inter_sample_diversity", 2, "squares, and so no root to worry about")
def _(a, b):
    return a.square().sum() / (b.square().sum() + 1e-8)


@idea("06_inter_sample_diversity", 3, "x.grad kept under two names")
def _(first, second, x):
    first(x).backward()
    a = x.grad
    x.grad.zero_()
    second(x).backward()
    b = x.grad
    return a.norm() / b.norm()


@idea("06_inter_sample_diversity", 3, "sums of absolute entries")
def _(first, second, x):
    (a,) = torch.autograd.grad(first(x), x)
    (b,) = torch.autograd.grad(second(x), x)
    return a.abs().sum() / b.abs().sum()


@idea("07_fluctuations_and_damping", 1, "the largest rise")
def _(losses):
    return losses.diff().clamp_min(0).max()


@idea("07_fluctuations_and_damping", 3, "state_dict() kept and loaded back, without a copy")
def _(generator, z):
    state = generator.state_dict()
    with torch.no_grad():
        images = generator(z)
    generator.load_state_dict(state)
    return images


@idea("07_fluctuations_and_damping", 4, "exp(L - a) - 1, so that nothing costs nothing")
def _(loss, anchor):
    return torch.expm1(loss - anchor.detach())


@idea("08_rdskd", 2, "the second step is i == 2")
def _(i, raw, anchor, every=120):
    return raw if i % every == 2 else anchor


@idea("07_fluctuations_and_damping", 5, "the gain at the end")
def _(losses, anchors):
    return (losses - anchors).exp()[-1]


@idea("08_rdskd", 1, "diversity is to grow, so minus ds")
def _(logits, images, anchor_oh, anchor_ie):
    oh, ie = lab.one_hot(logits), lab.information_entropy(logits)
    return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() - lab.diversity_seeking(images, logits.softmax(1))


@idea("08_rdskd", 1, "the anchors added")
def _(logits, images, anchor_oh, anchor_ie):
    oh, ie = lab.one_hot(logits), lab.information_entropy(logits)
    return (oh + anchor_oh).exp() + (ie + anchor_ie).exp() + lab.diversity_seeking(images, logits.softmax(1))


@idea("08_rdskd", 2, "120 steps whatever `every` says")
def _(i, raw, anchor, every=120):
    return raw if i % 120 == 1 else anchor


@idea("08_rdskd", 3, "ds of the logits")
def _():
    return lab.Objective(
        oh=lab.Term(lambda b: lab.one_hot(b.logits), damped=True),
        ie=lab.Term(lambda b: lab.information_entropy(b.logits), damped=True),
        ds=lab.Term(lambda b: lab.diversity_seeking(b.images, b.logits)),
    )


@idea("10_the_field", 1, "one root over both distances")
def _(layers):
    return sum(((v - rv).square().sum() + (m - rm).square().sum()).sqrt() for m, v, rm, rv in layers)


@idea("11_your_own_teacher", 1, "a sigmoid at the end")
def _():
    return nn.Sequential(*ex11.make(), nn.Sigmoid())


@idea("robustness_for_researchers", 1, "divided by n, not by its root")
def _(ours, rivals, t):
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))
    d = rivals.std(0) - ours.std(0)
    half = t * d.std() / len(d)
    return torch.stack([d.mean(), d.mean() - half, d.mean() + half])


# ---- sixteen more, for which no check is written -----------------------------------------------------------------


@idea("00_start_here", 1, "the mean of the two largest")
def _(logits):
    return logits.softmax(1).topk(2, 1).values.mean()


@idea("02_distillation", 1, "the batch counted twice: divided by N squared")
def _(student, teacher, temperature):
    log_p, log_q = ((t / temperature).log_softmax(1) for t in (teacher, student))
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum() / len(student) ** 2


@idea("03_generator", 1, "rows and columns exchanged after doubling")
def _(images):
    return images.repeat_interleave(2, 2).repeat_interleave(2, 3).transpose(2, 3)


@idea("03_generator", 3, "lr divided by the number of steps")
def _(teacher, start, labels, steps, lr):
    x = start.clone()
    for _ in range(steps):
        x.requires_grad_()
        x = (x - lr / steps * torch.autograd.grad(F.cross_entropy(teacher(x), labels), x)[0]).detach()
    return x


@idea("04_authenticity", 1, "the loss detached by .item() and made a tensor again")
def _(logits):
    return torch.tensor(-logits.log_softmax(1).max(1).values.mean().item())


@idea("04_authenticity", 2, "a gradient summed over the batch")
def _(logits):
    return (logits.softmax(1) - F.one_hot(logits.argmax(1), logits.shape[1])).sum(0)


@idea("04_authenticity", 1, "log base 2")
def _(logits):
    return -logits.softmax(1).max(1).values.log2().mean()


@idea("05_class_diversity", 1, "log base 2")
def _(logits):
    mean = logits.softmax(1).mean(0).clamp_min(1e-300)
    return (mean * mean.log2()).sum()


@idea("06_inter_sample_diversity", 1, "twice the loss, since each pair is seen from two sides")
def _(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return 2 * (p2 - p1).norm() / ((x2 - x1).norm() + 1e-8)


@idea("06_inter_sample_diversity", 3, "the squared lengths")
def _(first, second, x):
    (a,) = torch.autograd.grad(first(x), x)
    (b,) = torch.autograd.grad(second(x), x)
    return a.square().sum() / b.square().sum()


@idea("07_fluctuations_and_damping", 1, "the rises of the sorted losses")
def _(losses):
    return losses.sort().values.diff().clamp_min(0).mean()


@idea("07_fluctuations_and_damping", 2, "one draw fewer")
def _(measure, draw, draws):
    losses = torch.tensor([float(measure(draw())) for _ in range(draws - 1)], dtype=torch.float64)
    return losses.diff().clamp_min(0).mean()


@idea("07_fluctuations_and_damping", 4, "a squared distance from the anchor")
def _(loss, anchor):
    return (loss - anchor.detach()).square()


@idea("08_rdskd", 1, "ds thirty times")
def _(logits, images, anchor_oh, anchor_ie):
    oh, ie = lab.one_hot(logits), lab.information_entropy(logits)
    return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + 30 * lab.diversity_seeking(images, logits.softmax(1))


@idea("10_the_field", 1, "half of it, as a mean of the two distances")
def _(layers):
    return ex10.bn_statistics(layers) / 2


@idea("robustness_for_researchers", 1, "the spread divided by its mean")
def _(ours, rivals, t):
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))
    d = rivals.std(0) / rivals.mean(0) - ours.std(0) / ours.mean(0)
    half = t * d.std() / len(d) ** 0.5
    return torch.stack([d.mean(), d.mean() - half, d.mean() + half])


def tell():
    """Each idea with the verdict on it."""
    for notebook, number, words, answer in IDEAS:
        yield notebook, number, words, find_exercises(notebook)[number - 1].examine(answer)


if __name__ == "__main__":
    for notebook, number, words, verdict in tell():
        print(f"| {notebook[:2]}.{number} | {words} | {verdict.kind} | {verdict.says} |")
