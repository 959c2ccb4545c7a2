# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 02 Distillation: an answer says more than a label
#
# **Goal.** Train a small network on a large network's answers. Measure the gap that the rest of this course closes:
# the gap between a student trained on real digits and a student trained on noise.
#
# **Time.** About 25 minutes, of which 20 seconds are computing (two CPU cores).

# %%
from dataclasses import replace

import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab.course import Figure, begin, canvas, sheet
from rdskd_lab.lab import Lab
from rdskd_lab.methods import baselines
from rdskd_lab.reporting import charts, style

lesson = begin("02_distillation")

# %% [markdown]
# ## An answer says more than its label
#
# The *teacher* is a LeNet-5 that reads handwritten digits. For a batch of $N$ images it gives *logits*
# $t \in \mathbb{R}^{N \times K}$: one number for each image and each of the $K = 10$ classes. We divide the logits by
# a *temperature* $T$. Then a softmax over the classes turns them into probabilities:
#
# $$p_k(T) = \frac{e^{t_k/T}}{\sum_j e^{t_j/T}}$$
#
# The label of an image is its *hard target*. It says only one thing: "nine". The probabilities are its *soft target*.
# They also show what else the image could be.
#
# *Predict before you run: below are three digits that the teacher has never seen. One is clear, and two are written
# carelessly. How sure is the teacher of each digit at $T = 1$? Does a higher $T$ change which class has the largest
# probability?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"]).double().eval().requires_grad_(False)
digits, test = lab.load_data("digits", "train"), lab.load_data("digits", "test")  # it has seen none of these 5,000

chosen = [3600, 1757, 148]
x = digits.normalise(digits.images[chosen]).double()  # (3, 1, 32, 32)
t = teacher(x)  # (3, 10)
for T in (1, 8):
    p = (t / T).softmax(1)  # (3, 10), each row sums to 1
    entropy = torch.special.entr(p).sum(1)  # -sum_k p_k ln p_k
    print(f"T = {T}: largest p {[f'{v:.4f}' for v in p.max(1).values]}, entropy {[f'{h:.4f}' for h in entropy]} nats")

# %%
figure, axes = canvas(10, 5.4, 3, 3)
words = []
for row, i in enumerate(chosen):
    axes[3 * row].imshow(digits.images[i, 0], cmap="gray")
    axes[3 * row].set_title(f"label {digits.labels[i]}", fontsize=10)
    axes[3 * row].set_axis_off()
    for axis, T in zip(axes[3 * row + 1 : 3 * row + 3], (1, 8), strict=True):
        p = (t[row] / T).softmax(0).numpy()
        axis.bar(range(10), p, color=style.COLOURS[T > 1], hatch="//" if T > 1 else None, edgecolor="white")
        axis.set(xticks=range(10), ylim=(0, 1), title=f"T = {T}" if row == 0 else "", ylabel="p")
        best = p.argsort()[::-1][:3]
        words.append(f"label {digits.labels[i]}, T = {T}: " + ", ".join(f"p({k}) = {p[k]:.2f}" for k in best))
axes[-1].set_xlabel("class"), axes[-2].set_xlabel("class")
alt = "The three largest probabilities of each answer. " + "; ".join(words) + "."
Figure("three digits and what the teacher answers", figure, alt)

# %% [markdown]
# At $T = 1$ the answer for the clear digit is like a label: one bar and nine zeros. At $T = 8$ the same logits show
# more: which other digits the image resembles. Hinton called the information in the small probabilities *dark
# knowledge*. The temperature never changes the order of the classes. It only changes how much of this information is
# visible. (*Entropy* measures how spread out an answer is, in *nats*, the unit of natural logarithms: 0 for one bar,
# $\ln 10 = 2.303$ for ten equal bars.)
#
# ## Learning from answers
#
# The *student* is a smaller network: a LeNet-5 with half as many channels, so that it has 15,738 parameters instead
# of 61,706. It gives logits $s \in \mathbb{R}^{N \times K}$, and it must learn to answer as the teacher does:
#
# $$L_S = T^2\, \frac1N \sum_{i=1}^N \sum_{k=1}^K p_{ik} \ln \frac{p_{ik}}{q_{ik}}, \qquad
# p = \mathrm{softmax}(t/T),\; q = \mathrm{softmax}(s/T)$$
#
# The sum over $k$ is the *Kullback-Leibler divergence* $\mathrm{KL}(p \Vert q)$ of one image. It is 0 if the two
# answers agree, and positive otherwise. Its unit is the nat.
#
# *Predict before you run: the student still has its random initial weights. Is $L_S$ larger at $T = 1$ or at
# $T = 10$?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
images = digits.normalise(digits.images[::50]).double()  # (80, 1, 32, 32): 8 digits of each class
student = lab.seeded(0, lab.LeNet5Half).double()
with torch.no_grad():
    t, s = teacher(images), student(images)  # (80, 10) each

for T in (1, 10):
    p, q = (t / T).softmax(1), (s / T).softmax(1)
    by_hand = T**2 * (p * (p / q).log()).sum(1).mean()  # the formula, word for word
    print(f"T = {T:2}: by hand {by_hand:.4f}, the package {lab.distillation(s, t, T):.4f}")

# %% [markdown]
# ### Exercise 1: the distillation loss from scratch
#
# Write $L_S$ yourself. If a probability is too small for its number format, it becomes 0, and `softmax` followed by
# `log` gives $-\infty$. `log_softmax` computes both in one step and avoids this.


# %% tags=["exercise-1"]
def distillation_loss(student, teacher, temperature):
    """L_S of logits student (N, K) and teacher (N, K) at a temperature -> () in nats times T^2."""
    ...


lesson[1].check(distillation_loss)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## Why $T^2$?
#
# A student learns from the gradient of the loss. For one image, this gradient is
#
# $$\frac{\partial\,\mathrm{KL}}{\partial s_k} = \frac1T\,(q_k - p_k) \;\approx\; \frac{1}{T^2}\,\frac{\tilde s_k - \tilde t_k}{K}
# \quad\text{for large } T.$$
#
# Here $\tilde s$ and $\tilde t$ are the logits minus their mean over the classes. (For large $T$,
# $e^{s/T} \approx 1 + s/T$.) One factor $1/T$ comes from the division by $T$. The other arises because softer answers
# differ less from each other.
#
# *Predict before you run: how does the length of the gradient change as $T$ grows, without the factor $T^2$ and with
# it? What value does the curve with $T^2$ approach?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
temperatures = np.geomspace(1, 100, 25)
pull = {"with T²": [], "without": []}
for T in temperatures:
    answer = s.clone().requires_grad_()
    gradient = torch.autograd.grad(lab.distillation(answer, t, float(T)), answer)[0]  # (80, 10)
    pull["with T²"].append(gradient.norm().item())
    pull["without"].append(gradient.norm().item() / T**2)

centred = (s - s.mean(1, keepdim=True)) - (t - t.mean(1, keepdim=True))
limit = (centred / centred.numel()).norm().item()  # (s~ - t~) / (N K), its norm
print(f"with T²: {pull['with T²'][0]:.4f} at T = 1, {pull['with T²'][-1]:.4f} at T = 100; limit {limit:.4f}")
print(f"without: {pull['without'][0]:.4f} at T = 1, {pull['without'][-1]:.6f} at T = 100")

figure, [axis] = canvas(8, 3)
for (name, values), dash, colour in zip(pull.items(), ("-", "--"), style.COLOURS, strict=False):
    axis.loglog(temperatures, values, dash, color=colour, linewidth=2.2)
    axis.annotate(" " + name, (100, values[-1]), va="top")
axis.axhline(limit, color=style.INK, linewidth=1, linestyle=":")
axis.annotate("limit: |s̃ − t̃| / NK", (14, limit), (0, -12), textcoords="offset points", fontsize=9)
axis.set(xlabel="temperature T", ylabel="|gradient|, nats per logit", xlim=(0.95, 160))
axis.grid(color=style.FAINT)
Figure(
    "the gradient over the temperature",
    figure,
    f"Norm of the gradient for T from 1 to 100, both axes logarithmic. Without the factor it falls from "
    f"{pull['without'][0]:.2g} to {pull['without'][-1]:.2g}, by the square of T for large T; with T squared it "
    f"goes to a level, {limit:.2g}, marked as the norm of the difference of the centred logits over N K.",
)

# %% [markdown]
# Without $T^2$, twice the temperature needs four times the learning rate. (This holds for plain gradient steps. Adam,
# which we use below, cancels a constant factor.) With $T^2$, the gradient approaches a limit that does not depend on
# the temperature. At high $T$ the student learns all ten of the teacher's *logits*, with equal importance. At $T = 1$
# it mainly learns the teacher's favourite class.
#
# ## The loop, by hand and in the package
#
# A student learns like any network: show it a batch, compute the loss, take a step. The package's loop does this and
# *yields* after each step, so you can inspect everything between two steps.

# %%
rng = torch.Generator().manual_seed(0)
batches = [torch.randint(len(images), (16,), generator=rng) for _ in range(10)]
start = lab.seeded(0, lab.LeNet5Half).double()

flat, flat_losses = lab.seeded(0, lab.LeNet5Half).double(), []
optimizer = torch.optim.Adam(flat.parameters(), lr=4e-3)
for pick in batches:
    q = (flat(images[pick]) / 10).log_softmax(1)
    p = (t[pick] / 10).softmax(1)
    loss = 10**2 * (p * (p.log() - q)).sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    flat_losses.append(loss.item())

answered = (lab.batch.Batch(images[pick], logits=t[pick]) for pick in batches)
steps = lab.training.distill(start, answered, torch.optim.Adam(start.parameters(), lr=4e-3), temperature=10)
losses = [step.raw["kd"] for step in steps]  # a step's losses by their keys; kd is L_S

print(f"flat:    {flat_losses[0]:.4f} ... {flat_losses[-1]:.4f}")
print(f"package: {losses[0]:.4f} ... {losses[-1]:.4f}")
apart = max(abs(a - b) for a, b in zip(flat_losses, losses, strict=True))
print("largest difference below 1e-8:", apart < 1e-8)

# %% [markdown]
# ## With the data, and without
#
# This is the only place where students learn from real digits. There are 4,000 of them, and none of the 1,000 test
# digits is included. Two *controls* show how good a data-free method can become, and what it must beat:
#
# | control | the student sees | its target |
# |---|---|---|
# | `real` | real digits | the teacher's soft answer. This is the *upper bound*: a data-free method has no real digits |
# | `noise` | N(0, 1) in every pixel | the teacher's soft answer to the noise |
#
# A third student, `labels`, learns from real digits and their labels, without a teacher. Each student starts from the same
# weights and takes the same number of steps, at $T = 10$.
#
# *Predict before you run: which of the three students reads the most of 1,000 new digits correctly? And how many does
# the student trained on noise read correctly? (Guessing gives 10 %.)*

# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots

# %%
STEPS = 400
teacher = teacher.float()


def learn(name):
    """A student of one control: its accuracy on the test digits after every 50 steps."""
    method = lab.METHODS[name]
    settings = replace(method.presets["classroom"], student_steps=STEPS)
    student = lab.seeded(lesson.seed, lab.LeNet5Half)
    options = dict(method=method, seed=lesson.seed, device=lesson.device, data=digits)
    run = lab.Distillation(teacher, student, method.terms(), settings, **options)
    return [lab.accuracy(student, test) for step in run.distill() if (step.i + 1) % 50 == 0]


right = {name: learn(name) for name in ("real", "labels", "noise")}
lesson.band("student of real digits", right["real"][-1], "%", look_at="whether its targets are soft")
lesson.band("student of labels", right["labels"][-1], "%", look_at="whether it has taken all its steps")
lesson.band("student of noise", right["noise"][-1], "%", look_at="the scale of the noise: variance 1")

# %%
counted = np.arange(50, STEPS + 1, 50)
lines = [charts.Line(name, counted, 100 * np.array(a), i) for i, (name, a) in enumerate(right.items())]
charts.Curves("three students on 1,000 test digits", lines, "step", "read correctly", (10, "guessing: 10 %"), unit=" %")

# %% [markdown]
# The test digits are used only for measuring. We take each student as it is after its last step, and do not choose
# the best point of its curve.
#
# Soft answers are slightly better than labels: over ten seeds they are never behind, and on average they are 0.8
# points ahead. A student learns very little from noise, although the answers to noise are soft too. **This gap is
# what data-free distillation must close.** Why is it so wide? The next figure shows what the students saw, with the
# teacher's answers.

# %%
noise = baselines.Noise(1, 32).sample(1000, torch.Generator().manual_seed(0)).images  # (1000, 1, 32, 32)
sheet({"real": digits.normalise(digits.images[::400]), "noise": noise[:20]}, teacher)

# %% [markdown]
# *Predict before you run: in notebook 00 two digits never occurred in 500 images of noise. How many are missing in
# 1,000 images? How many digits get a fair share, 10 % or more?*

# %% tags=["prediction-5"]
lesson.predict(5, ...)  # type your guess in quotes, in place of the dots

# %%
with torch.no_grad():
    answers = teacher(noise.to(lesson.device)).argmax(1).cpu()  # (1000,)
share = 100 * answers.bincount(minlength=10).numpy() / len(noise)
bars = [charts.Line("share of 1,000 images of noise", np.arange(10), share, 0, "bars")]
even, classes = (10.0, "even share: 10 %"), list("0123456789")
charts.Curves("what noise is to the teacher", bars, "the teacher's answer", level=even, unit=" %", ticks=classes)

# %% [markdown]
# In noise, three digits get more than their fair share, one never occurs, and four hardly ever occur. A student that
# never sees a 0 and hardly ever sees a 6 cannot learn to read them. And the images of the digits that do occur look
# nothing like real digits. So we need images of *all* classes, and the teacher must be sure of them. Notebook 03
# takes the first steps towards such images.
#
# ## In the lab: a student that learns alongside the generator
#
# The lab trains a generator and, if you like, a student alongside it. Here the screen shows only the student. Press
# **Play** and watch its accuracy. Then switch off *student learns along*: the generator continues to train, but the
# student stays as it is.

# %% tags=["not-banded"]
Lab(seed=lesson.seed, device=lesson.device, steps=40, only="student")

# %% [markdown]
# ## What to remember
#
# * A soft target also shows what else an image could be. A high temperature makes this visible, and it never changes
#   the order of the classes.
# * $L_S = T^2\,\mathrm{KL}(p \Vert q)$: a sum over the classes, a mean over the batch. The factor $T^2$ keeps the
#   gradient from vanishing as $T$ grows.
# * At high $T$ the student learns the teacher's logits.
# * `real` is the upper bound, and `noise` is the control to beat. This course is about closing the gap between them.
#
# ## The paper, the code, and what we measured
#
# * **Papers and released code**: the loss and its factor $T^2$ are from Hinton (2015). RDSKD's released code uses
#   $T = 10$, and DAFL's uses $T = 1$. For these two networks on MNIST, DAFL's authors report the following, each
#   result with its own schedule: 98.65 % for a student trained with labels, 98.91 % for distillation with real data,
#   and 88.01 % for distillation with Gaussian noise. DFAD's authors report 74.7 ± 3.3 % for noise.
# * **Measured here**: the accuracy of three students after 400 steps of 128 images, with 4,000 real digits. The
#   ranges over ten seeds are given above.
# * **Where they differ**: noise gives far worse results here. We take a few hundred steps where they take thousands,
#   and our teacher is different. We did not study which of the two matters.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | temperature $T$ | the number that divides the logits before the softmax; above 1 it makes an answer softer |
# | hard and soft target | a label; a probability for every class |
# | dark knowledge | what the small probabilities of a soft target show about how similar the classes are |
# | nat | the unit of a natural logarithm of a probability; $\ln 2 = 0.693$ nats are one bit |
# | Kullback-Leibler divergence | a measure of how far one distribution is from another, in nats; 0 if they are the same |
# | control | a run for comparison: the best result that we can hope for, or the least that we must beat |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
