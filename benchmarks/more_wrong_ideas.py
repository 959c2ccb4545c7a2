"""Sixteen more wrong ideas, written down at the same time and then left alone: no check was written for one of them."""

import torch
import torch.nn.functional as F
from wrong_ideas import IDEAS, idea, tell

import rdskd_lab as lab
from rdskd_lab.course.exercises import ex10_the_field as ex10

IDEAS.clear()


@idea("00_start_here", 1, "the mean of the two largest")
def _(logits):
    return logits.softmax(1).topk(2, 1).values.mean()


@idea("01_distillation", 1, "the batch counted twice: divided by N squared")
def _(student, teacher, temperature):
    log_p, log_q = ((t / temperature).log_softmax(1) for t in (teacher, student))
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum() / len(student) ** 2


@idea("02_generator", 1, "rows and columns exchanged after doubling")
def _(images):
    return images.repeat_interleave(2, 2).repeat_interleave(2, 3).transpose(2, 3)


@idea("02_generator", 3, "lr divided by the number of steps")
def _(teacher, start, labels, steps, lr):
    x = start.clone()
    for _ in range(steps):
        x.requires_grad_()
        x = (x - lr / steps * torch.autograd.grad(F.cross_entropy(teacher(x), labels), x)[0]).detach()
    return x


@idea("03_authenticity", 1, "the loss detached by .item() and made a tensor again")
def _(logits):
    return torch.tensor(-logits.log_softmax(1).max(1).values.mean().item())


@idea("03_authenticity", 2, "a gradient summed over the batch")
def _(logits):
    return (logits.softmax(1) - F.one_hot(logits.argmax(1), logits.shape[1])).sum(0)


@idea("03_authenticity", 1, "log base 2")
def _(logits):
    return -logits.softmax(1).max(1).values.log2().mean()


@idea("04_class_diversity", 1, "log base 2")
def _(logits):
    mean = logits.softmax(1).mean(0).clamp_min(1e-300)
    return (mean * mean.log2()).sum()


@idea("05_inter_sample_diversity", 1, "twice the loss, since each pair is seen from two sides")
def _(images, probs):
    (x1, x2), (p1, p2) = images.chunk(2), probs.chunk(2)
    return 2 * (p2 - p1).norm() / ((x2 - x1).norm() + 1e-8)


@idea("05_inter_sample_diversity", 3, "the squared lengths")
def _(first, second, x):
    (a,) = torch.autograd.grad(first(x), x)
    (b,) = torch.autograd.grad(second(x), x)
    return a.square().sum() / b.square().sum()


@idea("06_fluctuations", 1, "the rises of the sorted losses")
def _(losses):
    return losses.sort().values.diff().clamp_min(0).mean()


@idea("06_fluctuations", 2, "one draw fewer")
def _(measure, draw, draws):
    losses = torch.tensor([float(measure(draw())) for _ in range(draws - 1)], dtype=torch.float64)
    return losses.diff().clamp_min(0).mean()


@idea("07_exponential_penalty", 1, "a squared distance from the anchor")
def _(loss, anchor):
    return (loss - anchor.detach()).square()


@idea("08_rdskd", 1, "ds thirty times")
def _(logits, images, anchor_oh, anchor_ie):
    oh, ie = lab.one_hot(logits), lab.information_entropy(logits)
    return (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + 30 * lab.diversity_seeking(images, logits.softmax(1))


@idea("10_the_field", 1, "half of it, as a mean of the two distances")
def _(layers):
    return ex10.bn_statistics(layers) / 2


@idea("12_robustness", 1, "the spread divided by its mean")
def _(ours, rivals, t):
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))
    d = rivals.std(0) / rivals.mean(0) - ours.std(0) / ours.mean(0)
    half = t * d.std() / len(d) ** 0.5
    return torch.stack([d.mean(), d.mean() - half, d.mean() + half])


if __name__ == "__main__":
    for notebook, number, words, verdict in tell():
        print(f"| {notebook[:2]}.{number} | {words} | {verdict.kind} | {verdict.says} |")
