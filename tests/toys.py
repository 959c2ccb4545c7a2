"""Tiny networks, and the truth to compare with: RDSKD as methods.md states it, in plain torch, nothing of the package.

Everything is float64.  `paint`, `Adam` and the two flat loops are written out on purpose: a test that borrowed the
package's own pieces would prove nothing.
"""

import io
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

F64 = torch.float64
CLASSES, SIZE, LATENT, WIDTH = 5, 8, 6, 4


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class ToyTeacher(nn.Sequential):
    """8 x 8 images -> 5 logits, with a BatchNorm whose statistics are far from those of any batch."""

    def __init__(self, seed: int = 0, channels: int = 1, bn: bool = True, sure: float = 4.0):
        norm = [nn.BatchNorm2d(6)] if bn else []
        with torch.random.fork_rng(devices=[]):  # the global random state is watched by tests
            super().__init__(nn.Conv2d(channels, 6, 3), *norm, nn.ReLU(), nn.Flatten(), nn.Linear(6 * 6 * 6, CLASSES))
        rng = seeded(seed)
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(torch.randn(p.shape, generator=rng) * (sure / p[0].numel() ** 0.5 if p.ndim > 1 else 0.2))
            for layer in norm:
                layer.weight.copy_(torch.rand(6, generator=rng) + 0.5)
                layer.running_mean.copy_(torch.randn(6, generator=rng))
                layer.running_var.copy_(torch.rand(6, generator=rng) * 3 + 0.5)
        self.eval()


class ToyStudent(nn.Sequential):
    """8 x 8 images -> 5 logits, with a BatchNorm, so that its mode while learning shows."""

    def __init__(self, seed: int = 1, channels: int = 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            conv, bn = nn.Conv2d(channels, 3, 3, bias=False), nn.BatchNorm2d(3)
            super().__init__(conv, bn, nn.ReLU(), nn.Flatten(), nn.Linear(3 * 6 * 6, CLASSES))
            nn.init.uniform_(bn.weight, 0.5, 1.5)


class PlainNet(nn.Module):
    """A teacher without a single usual attribute: its head comes first in the list of modules, its forward is plain."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(7, CLASSES)
        self.body = nn.ModuleDict({"inner": nn.Linear(SIZE * SIZE, 7)})

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body["inner"](x.flatten(1)).tanh())


def same(a: dict, b: dict) -> bool:
    """Two state dicts, bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def copied(net) -> dict:
    return {k: v.clone() for k, v in net.state_dict().items()}


def apart(a: dict, b: dict) -> float:
    """The largest difference between two state dicts."""
    assert a.keys() == b.keys()
    return max((a[k].double() - b[k].double()).abs().max().item() for k in a)


def leaves(output: Tensor) -> set[Tensor]:
    """Every tensor that a backward pass from `output` would reach."""
    seen, todo, found = set(), [output.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(node.variable)
        todo += [n for n, _ in node.next_functions]
    return found


def record(steps) -> list[tuple]:
    """What steps of a run say, to be compared."""
    return [(s.phase, s.i, s.raw, s.gain, s.weight) for s in steps]


def records(names: str, *rows: tuple) -> list[dict]:
    """A table in a few lines: the values of each row under their names."""
    return [dict(zip(names.split(), row, strict=True)) for row in rows]


def through_a_file(thing):
    """What is left of it after it was saved and opened again."""
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=True, map_location="cpu")


def cut_and_resumed(make, after: int):
    """What a run says that is cut after so many steps, saved, and resumed by another; and that other one."""
    first = make()
    said = record(islice(first, after))
    state, rows = through_a_file(first.state()), through_a_file([first.pool.images, first.pool.logits])
    torch.manual_seed(after)
    second = make(student=ToyStudent(seed=8))  # its own start is overwritten
    second.pool.images.copy_(rows[0]), second.pool.logits.copy_(rows[1])
    second.restore(state)
    return said + record(second), second


# ---- methods.md 0.2: the generator, one line a layer ----------------------------------------------------------------


class SpecGenerator:
    """fc -> BN -> x2 -> conv -> BN(.8) -> LeakyReLU -> x2 -> conv -> BN(.8) -> LeakyReLU -> conv -> tanh -> BN."""

    bn = {"a": "paint.0", "b": "paint.3", "c": "paint.7", "d": "paint.11"}

    def __init__(self, state: dict):
        running = ("running_mean", "running_var", "num_batches_tracked")
        self.w = {k: v.clone().requires_grad_() for k, v in state.items() if not k.endswith(running)}
        self.r = {k: v.clone() for k, v in state.items() if k.endswith(running)}

    def state(self) -> dict:
        return {**self.w, **self.r}

    def norm(self, layer: str, x: Tensor, eps: float, training: bool) -> Tensor:
        if training:
            n = x.shape[0] * x.shape[2] * x.shape[3]
            mean = x.sum((0, 2, 3)) / n
            var = ((x - mean[:, None, None]) ** 2).sum((0, 2, 3)) / n
            for name, new in ("running_mean", mean), ("running_var", var * n / (n - 1)):
                self.r[f"{layer}.{name}"] = 0.9 * self.r[f"{layer}.{name}"] + 0.1 * new.detach()
            self.r[f"{layer}.num_batches_tracked"] = self.r[f"{layer}.num_batches_tracked"] + 1
        else:
            mean, var = self.r[f"{layer}.running_mean"], self.r[f"{layer}.running_var"]
        y = (x - mean[:, None, None]) / (var + eps).sqrt()[:, None, None]
        if f"{layer}.weight" in self.w:
            y = y * self.w[f"{layer}.weight"][:, None, None] + self.w[f"{layer}.bias"][:, None, None]
        return y

    def conv(self, layer: str, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.w[f"{layer}.weight"], self.w[f"{layer}.bias"])

    def __call__(self, z: Tensor, training: bool) -> Tensor:
        def twice(x):
            return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

        def lrelu(x):
            return torch.where(x > 0, x, 0.2 * x)

        width = len(self.w["paint.0.weight"])
        x = z @ self.w["project.weight"].T + self.w["project.bias"]
        x = x.reshape(len(z), width, round((x.shape[1] / width) ** 0.5), -1)
        x = twice(self.norm(self.bn["a"], x, 1e-5, training))
        x = lrelu(self.norm(self.bn["b"], self.conv("paint.2", x), 0.8, training))
        x = twice(x)
        x = lrelu(self.norm(self.bn["c"], self.conv("paint.6", x), 0.8, training))
        return self.norm(self.bn["d"], self.conv("paint.9", x).tanh(), 1e-5, training)


# ---- methods.md 1: the two stages of RDSKD, as flat loops ------------------------------------------------------------


class Adam:
    """Kingma and Ba, algorithm 1."""

    def __init__(self, params, lr: float):
        self.params, self.lr, self.t = list(params), lr, 0
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]

    def step(self, loss: Tensor, lr: float | None = None) -> None:
        self.t += 1
        lr = self.lr if lr is None else lr
        grads = torch.autograd.grad(loss, self.params)
        with torch.no_grad():
            for p, g, m, v in zip(self.params, grads, self.m, self.v, strict=True):
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                p -= lr * (m / (1 - 0.9**self.t)) / ((v / (1 - 0.999**self.t)).sqrt() + 1e-8)


def ln_softmax(t: Tensor) -> Tensor:
    top = t.max(1, keepdim=True).values.detach()
    return t - top - (t - top).exp().sum(1, keepdim=True).log()


def flat_generator_stage(
    teacher, state, *, steps, batch, rng, anchor="epoch", every=120, diversity="published", lr=1e-3
):
    """methods.md 1.1 and 1.2, generator stage: the final generator, and (oh, ie, ds, gain_oh, gain_ie) of each step.

    `diversity` is "published" (1.1, to the letter), "safe" (1.3 no. 2, the direct quotient) or "pairs" (its mean).
    """
    generator = SpecGenerator(state)
    adam, record = Adam(generator.w.values(), lr), []
    ref_oh = ref_ie = 0.0
    latent = generator.w["project.weight"].shape[1]
    for step in range(steps):
        z = torch.randn(batch, latent, generator=rng, dtype=F64)
        x = generator(z, training=True)
        x1, x2 = x[: batch // 2], x[batch // 2 :]
        t1, t2 = teacher(x1), teacher(x2)
        p1, p2 = ln_softmax(t1).exp(), ln_softmax(t2).exp()
        ln_p, p = torch.cat([ln_softmax(t1), ln_softmax(t2)]), torch.cat([p1, p2])

        own = [int(row.detach().argmax()) for row in torch.cat([t1, t2])]
        l_oh = -sum(ln_p[i, k] for i, k in enumerate(own)) / batch
        mean = p.sum(0) / batch
        l_ie = (mean * mean.log()).sum()
        if diversity == "published":
            l_ds = 1 / (((x2 - x1) ** 2).sum().sqrt() / ((p2 - p1) ** 2).sum().sqrt() + 1e-20)
        elif diversity == "safe":
            l_ds = ((p2 - p1) ** 2).sum().sqrt() / (((x2 - x1) ** 2).sum().sqrt() + 1e-8)
        else:
            dp, dx = ((p2 - p1) ** 2).sum(1).sqrt(), ((x2 - x1) ** 2).sum((1, 2, 3)).sqrt()
            l_ds = sum(dp[i] / (dx[i] + 1e-8) for i in range(batch // 2)) / (batch // 2)

        oh, ie = l_oh.item(), l_ie.item()
        if anchor == "none":
            loss = l_oh + l_ie + l_ds
            record.append((oh, ie, l_ds.item(), 1.0, 1.0))
        else:
            e_oh, e_ie = (l_oh - ref_oh).exp(), (l_ie - ref_ie).exp()
            loss = e_oh + e_ie + l_ds
            record.append((oh, ie, l_ds.item(), e_oh.item(), e_ie.item()))
        adam.step(loss)

        if anchor == "epoch" and step % every == 1:
            ref_oh, ref_ie = oh, ie
        if anchor == "previous":
            ref_oh, ref_ie = oh, ie
        if anchor == "average":
            ref_oh = oh if step == 0 else 0.98 * ref_oh + 0.02 * oh
            ref_ie = ie if step == 0 else 0.98 * ref_ie + 0.02 * ie
    return generator, record


def flat_student_stage(teacher, generator, student, *, steps, batch, rng, temperature=10.0, lr=2e-3, cosine=False):
    """methods.md 1.1 and 1.2, student stage, on fresh images: trains `student`, returns the loss of each step."""
    adam, record = Adam(student.parameters(), lr), []
    latent, T = generator.w["project.weight"].shape[1], temperature
    student.train()
    for step in range(steps):
        z = torch.randn(batch, latent, generator=rng, dtype=F64)
        with torch.no_grad():
            x = generator(z, training=False)
            ln_t = ln_softmax(teacher(x) / T)
        ln_s = ln_softmax(student(x) / T)
        loss = T**2 * (ln_t.exp() * (ln_t - ln_s)).sum() / batch
        record.append(loss.item())
        angle = torch.pi * step / steps
        adam.step(loss, lr * (1 + torch.tensor(angle, dtype=F64).cos().item()) / 2 if cosine else lr)
    return record
