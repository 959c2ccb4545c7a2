# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # RDSKD: a student from a teacher without its data
#
# **Goal.** Build *Robustness and Diversity Seeking Data-Free Knowledge Distillation* (RDSKD, ICASSP 2021) in one cell,
# prove that it is what the package computes, and use it: a LeNet-5 half the size learns to read handwritten digits
# without ever seeing one.
#
# **Time.** About 15 minutes to read, 1 to 2 minutes of computing on two CPU cores.
#
# **The problem.** There is a *teacher*, a network that reads digits. Its training data is gone. We want a smaller
# *student* that answers as the teacher does. We cannot show the student digits, so we train a *generator* $G$ that turns
# random *latents* $z$ into images that the teacher finds convincing, and show those.

# %%
from dataclasses import replace

import torch

import rdskd_lab as lab
from rdskd_lab import data, metrics, modes, plots, stages, weights

device = stages.find_device()  # a GPU if there is one
teacher = weights.load_weights(lab.LeNet5(), weights.SHIPPED["lenet5"])
print("teacher:", sum(p.numel() for p in teacher.parameters()), "parameters")
print("student:", sum(p.numel() for p in lab.LeNet5Half().parameters()), "parameters")

# %% [markdown]
# ## What the generator is asked for
#
# A batch of $N$ images $x = G(z)$ goes through the teacher, which answers with logits $t \in \mathbb{R}^{N \times K}$ and
# probabilities $p = \mathrm{softmax}(t)$. Three losses look at them (all logarithms are natural, so the unit is the *nat*):
#
# | key | loss | asks for |
# |---|---|---|
# | `oh` | $L_{OH} = -\frac1N \sum_i \ln p_i[\arg\max_k t_{ik}]$ | *authenticity*: the teacher is sure of each image |
# | `ie` | $L_{IE} = \sum_k \bar p_k \ln \bar p_k,\quad \bar p = \frac1N \sum_i p_i$ | *class diversity*: all classes, equally often |
# | `ds` | $L_{DS} = \lVert P^2 - P^1 \rVert \,/\, \lVert x^2 - x^1 \rVert$, halves 1 and 2 of the batch | *inter-sample diversity*: images differ more than answers do |
#
# The first two pull against each other: the surest way to please `oh` is to paint one perfect digit again and again,
# which is the worst for `ie`. When one falls the other tends to jump. RDSKD therefore penalises **rises**
# exponentially. With an *anchor* $a$, an earlier value of the same loss,
#
# $$L_G = e^{L_{OH} - a_{OH}} + e^{L_{IE} - a_{IE}} + L_{DS}.$$
#
# Its gradient is $e^{L-a}\,\nabla L$ for each damped term: the factor $e^{L-a}$, the **gain**, is 1 at the anchor, grows
# when the loss has risen above it, and shrinks when it has fallen. The published code starts with $a = 0$ and takes a new
# anchor once per 120 steps, at the second of them.
#
# *Predict before you run: in the first step both anchors are 0. Which term then pulls with a gain above 1, and which below?*

# %% [markdown]
# ## The whole generator stage in one cell
#
# Nothing is imported from the package here but the two networks. It runs in double precision, so that the comparison
# below can be exact: in single precision, rounding alone makes two correct programs drift apart.

# %%
torch.manual_seed(0)
flat_generator = lab.Generator(width=4).double()
flat_teacher = weights.load_weights(lab.LeNet5(), weights.SHIPPED["lenet5"]).double().eval().requires_grad_(False)
start = {name: t.clone() for name, t in flat_generator.state_dict().items()}

optimizer = torch.optim.Adam(flat_generator.parameters(), lr=1e-3)
latents = torch.Generator().manual_seed(0)
anchor_oh = anchor_ie = 0.0
flat = []
for i in range(12):
    z = torch.randn(32, 100, generator=latents, dtype=torch.float64)
    x = flat_generator(z)
    p = flat_teacher(x).softmax(1)

    oh = -p.max(1).values.log().mean()
    mean = p.mean(0)
    ie = (mean * mean.log()).sum()
    ds = (p[16:] - p[:16]).norm() / (x[16:] - x[:16]).norm()

    loss = (oh - anchor_oh).exp() + (ie - anchor_ie).exp() + ds
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if i % 5 == 1:  # every 120 steps in the published code; every 5 here, to see it happen
        anchor_oh, anchor_ie = oh.item(), ie.item()
    flat.append((oh.item(), ie.item(), ds.item()))

for i in (0, 5, 11):
    print(f"step {i:2}: oh {flat[i][0]:.4f}  ie {flat[i][1]:.4f}  ds {flat[i][2]:.4f}")

# %% [markdown]
# ## The same, as the package says it
#
# In `rdskd_lab` a method is a **table of named terms**. One loop descends on any such table, and it *yields*: you pull
# one step after the other and may look at everything, or change the table, between two of them.

# %%
from functools import partial

objective = lab.rdskd()
for name, term in objective.items():
    term.rule = partial(lab.ANCHORS["epoch"], every=5)
    print(f"{name}: weight {term.weight}, {'damped' if term.damped else 'plain'}")

generator = lab.Generator(width=4).double()
generator.load_state_dict(start)
steps = lab.loops.synthesise(
    flat_teacher, generator, objective, torch.optim.Adam(generator.parameters(), lr=1e-3),
    batch_size=32, rng=torch.Generator().manual_seed(0),
)  # fmt: skip
steps = lab.loops.reanchoring(steps, objective)
same = [tuple(next(steps).raw.values()) for _ in range(12)]

difference = max(abs(a - b) for ours, theirs in zip(flat, same, strict=True) for a, b in zip(ours, theirs, strict=True))
print("largest difference below 1e-8:", difference < 1e-8)

# %% [markdown]
# ## For real: first the generator ...
#
# `Distillation` holds a whole run: teacher, generator, objective, student. The settings are those of the preset
# `classroom`, shortened. Every batch that trains the generator also goes into a *pool* from which the student will learn.

# %%
settings = replace(lab.PRESETS["classroom"], generator_steps=400, student_steps=1500)
student = modes.seeded(0, lab.LeNet5Half)
run = lab.Distillation(teacher, student, lab.rdskd(), settings, seed=0, device=device)

history, pictures = [], [run.picture()]
for step in run.synthesise():
    history.append(step.row())
    if step.i + 1 in (20, 100, settings.generator_steps):
        pictures.append(run.picture())

print(len(history), "steps,", len(run.pool), "images in the pool")
print("classes that the teacher sees in them:", int((run.pool.histogram() > 0.03 * len(run.pool)).sum()), "of 10")

# %%
plots.samples(pictures)

# %% [markdown]
# These are what the *teacher* calls digits. They need not look like digits to us; they have to be clear to the teacher,
# of all classes, and different enough to learn from. How did the three losses get there?

# %%
columns = plots.history_of(history)
plots.Panels("losses and gains of the generator", plots.loss_terms(columns) + plots.gains(columns))

# %% [markdown]
# *Look at the gains.* At first the anchors are 0: $L_{OH}$ is positive, so its gain starts above 1; $L_{IE}$ is negative,
# so its gain starts near $e^{-2.3} = 0.1$ once the classes are balanced. At step 1 both anchors are taken and the gains jump to 1;
# from then on they say how far the loss stands from where it was at the start of its epoch.
#
# ## ... then the student
#
# The student learns $L_S = T^2\,\mathrm{KL}(\mathrm{softmax}(t/T)\,\Vert\,\mathrm{softmax}(s/T))$ with temperature $T = 10$ on
# images drawn from the pool, turned and shifted a little, and answered anew by the teacher. No label and no real image is used.

# %%
for step in run.distill():
    pass
test = data.load("digits", "test")  # 1,000 real digits; neither network was trained on them
found = metrics.compare(run.teacher, run.student, test)
print(f"teacher: {found['teacher_accuracy']:.1%} of {len(test)} real digits")
print(f"student: yours {found['student_accuracy']:.1%}, though it never saw a digit")

# %% [markdown]
# ## What to remember
#
# * The generator replaces the data: the teacher's own reaction says what a good image is.
# * `oh` alone collapses, `ie` mends that and fights with it, `ds` asks for images that differ; damping is a *gain* on a gradient.
# * The student sees painted images and the teacher's soft answers, nothing else.
#
# **What we do not know.** We have read the authors' code, not the body of their paper; every formula above is the code's.
#
# **Go on.** `rdskd-lab distill --data digits --out runs/mine` does the whole preset and writes a report;
# `--off ie` switches a term off, `--anchor none` takes the damping away.
