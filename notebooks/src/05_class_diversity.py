# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 05 Class diversity: the entropy of the mean answer
#
# **Goal.** Write the loss that asks a batch to hold all classes, see it cure the collapse of 04, and measure what that
# costs in authenticity.
#
# **Time.** About 20 minutes, of which 30 seconds are computing (two CPU cores).
#
# **The question.** A generator that is asked for *authenticity* alone settles on the few classes that it paints best. A
# student that learns from those never meets the others. How can a loss notice, when each single image is fine?

# %%
import math
from dataclasses import replace

import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab import torch_state
from rdskd_lab.course import begin
from rdskd_lab.reporting import charts
from rdskd_lab.reporting.history import history_of

lesson = begin("05_class_diversity")
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])

# %% [markdown]
# ## Look at the batch, not at the image
#
# $N$ images give answers $p_i = \mathrm{softmax}(t_i)$, each a row of $K$ probabilities. Their mean
#
# $$\bar p = \frac1N \sum_i p_i \in \mathbb{R}^K$$
#
# says how much of each class the batch holds. Its **entropy** $H(\bar p) = -\sum_k \bar p_k \ln \bar p_k$ is 0 when all
# is one class and $\ln K$ when all $K$ classes are there in equal shares. Losses are minimised, so
#
# $$L_{IE} = \sum_k \bar p_k \ln \bar p_k = -H(\bar p) \quad\text{in nats, from } -\ln K \text{ (best) to } 0 \text{ (worst)}.$$
#
# A handier number is $e^{H(\bar p)}$, the **effective number of classes**: 10 equal classes give 10, one class gives 1.
# It is what 04 watched the collapse with.
#
# *Predict before you run: four batches of four images, $K = 4$. Which of them does $L_{IE}$ like best? Which would you
# want to teach a student with?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
sure = 20 * torch.eye(4, dtype=torch.float64)  # logits (4, 4): image i is surely of class i
batches = {
    "four classes, sure": sure,
    "one class, sure": sure[[0, 0, 0, 0]],
    "two and two, sure": sure[[0, 0, 1, 1]],
    "nobody knows": torch.zeros(4, 4, dtype=torch.float64),
}
for name, logits in batches.items():
    mean = logits.softmax(1).mean(0)  # (K,)   p-bar
    ie = (mean * mean.log()).sum()  # ()     L_IE in nats
    oh = -logits.softmax(1).max(1).values.log().mean()  # ()     L_OH in nats
    print(f"{name:20}  L_IE {ie:7.4f}   effective classes {(-ie).exp():.4f}   L_OH {oh:.4f}")

# %% [markdown]
# The first and the last look the same to $L_{IE}$: it sees the mean, and the mean of four undecided answers is as even as
# that of four different sure ones. Only $L_{OH}$ tells them apart. **Neither loss makes sense alone**: one asks each
# image to be of *one* class, the other asks the batch to be of *all*.
#
# ### Exercise 1: the class-diversity loss from scratch
#
# Write $L_{IE}$ for logits of any shape $(N, K)$. It has to stay finite, and so has its gradient, where a class never
# occurs and $\bar p_k$ is exactly 0.

# %% tags=["exercise-1"]
def class_diversity(logits):
    """L_IE of logits (N, K) -> () in nats, from -ln K to 0."""
    ...


lesson[1].check(class_diversity)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# The package's piece is `lab.information_entropy`; from here on it is used. Its gradient says which way it pushes: for an
# image whose answer is $p_i$,
#
# $$\frac{\partial L_{IE}}{\partial t_{ik}} = \frac{p_{ik}}{N}\Big(\ln \bar p_k - \sum_j p_{ij} \ln \bar p_j\Big).$$
#
# Classes that the batch has plenty of ($\ln \bar p_k$ near 0) are pushed down, rare ones up, and all images are pushed to
# the same side. But look at the factor $p_{ik}$: a class that an image has none of gets no push from it.

# %%
logits = torch.tensor([[2.0, 0.5, -1.0], [1.5, -0.7, 0.4], [3.0, 0.0, 1.0]]).double().requires_grad_()
(by_torch,) = torch.autograd.grad(lab.information_entropy(logits), logits)
with torch.no_grad():
    p = logits.softmax(1)  # (N, K)
    ln = p.mean(0).log()  # (K,)
    by_hand = p / len(p) * (ln - (p * ln).sum(1, keepdim=True))  # (N, K)
print("by hand and by torch agree:", torch.allclose(by_hand, by_torch))
print("first image's gradient:", [f"{g:.4f}" for g in by_torch[0].tolist()])

# %% [markdown]
# ### Exercise 2: a batch that both losses like
#
# Write down logits of six images and three classes, for which $L_{IE}$ is within 0.01 of its lowest value $-\ln 3$ and
# $L_{OH}$ is below 0.01.

# %% tags=["exercise-2"]
def liked_by_both():
    """Logits (6, 3) with L_IE near -ln 3 and L_OH near 0."""
    ...


lesson[2].check(liked_by_both)
# lesson[2].hint()
# lesson[2].example()
# lesson[2].solution()

# %% [markdown]
# ## The cure
#
# Now three generators from the same weights, each 150 steps of 64 images: one is asked for `oh` alone, one for `ie`
# alone, one for both with weight 1. Nothing else is asked for: no damping, no `ds`.
#
# *Predict before you run: where does each of the two losses end in each of the three runs?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
def train(asked, steps=150):
    """Train a generator on the losses in `asked`, {name: weight}; the run and its history."""
    objective = lab.rdskd()
    for name, term in objective.items():
        term.damped, term.on, term.weight = False, name in asked, asked.get(name, 0.0)
    settings = replace(lab.PRESETS["classroom"], generator_steps=steps, pooled=False)
    student = lab.seeded(lesson.seed, lab.LeNet5Half)  # it does not learn here, so nothing is pooled
    run = lab.Distillation(teacher, student, objective, settings, seed=lesson.seed)
    return run, history_of([step.row() for step in run.synthesise()])


asked = {"oh alone": {"oh": 1}, "ie alone": {"ie": 1}, "oh + ie": {"oh": 1, "ie": 1}}
runs = {name: train(which) for name, which in asked.items()}

# %%
sure, diverse = [], []
for style, (name, (_, history)) in enumerate(runs.items()):
    step, oh, classes = history["step"], history["oh"], np.exp(-history["ie"])
    sure.append(charts.Line(name, step, oh, style, "noisy"))
    diverse.append(charts.Line(name, step, classes, style, "noisy"))

charts.Panels(
    "three generators: what each loss does when it is asked for, and when it is not",
    [
        charts.Curves("authenticity (oh): lower is surer", sure, ylabel="nats per image"),
        charts.Curves("effective classes: 10 is best", diverse, ylabel="classes"),
    ],
)

# %% [markdown]
# Asked for authenticity alone, the generator gets surer and loses classes. Asked for classes alone, it has them all, and
# the teacher is less sure than it was of the *untrained* generator. Asked for both, it has all the classes, and pays in
# authenticity: compare where the lines of `oh alone` and `oh + ie` end on the left.

# %%
def last(history, term, steps=30):
    """The mean of a loss over the last steps of a run."""
    return float(history[term][-steps:].mean())


alone, both = runs["oh alone"][1], runs["oh + ie"][1]
look_at = "the figure above; which terms are on in this run?"
lesson.band("effective classes, oh alone", math.exp(-last(alone, "ie")), "classes", 1, look_at)
lesson.band("effective classes, oh + ie", math.exp(-last(both, "ie")), "classes", 1, look_at)
price = last(both, "oh") - last(alone, "oh")
lesson.band("L_OH of oh + ie, less that of oh alone", price, "nats", 2, look_at)

# %% [markdown]
# Which classes are they? The teacher sorts 1,000 fresh images of two of the generators.

# %%
def shares(run):
    """How much of each class the teacher sees in 1,000 images, in percent, (K,)."""
    with torch.no_grad(), torch_state.buffers_kept(run.generator):
        images = run.generator(run.generator.latents(1000, torch.Generator().manual_seed(1)))
    return torch.bincount(run.teacher(images).argmax(1), minlength=10).numpy() / 10


def bars(name, style):
    """A run's shares as bars over the ten classes."""
    line = charts.Line(name, np.arange(10), shares(runs[name][0]), style, "bars")
    even = (10, "even share: 10 %")
    return charts.Curves(name, [line], "the teacher's answer", level=even, unit=" %", ticks=list("0123456789"))


charts.Panels("what the teacher sees in 1,000 images", [bars("oh alone", 0), bars("oh + ie", 2)])

# %% [markdown]
# ## The conflict, in one step
#
# Do the two losses really pull against each other? Take a step of the same small length down each one's slope, on the
# same latents, and see what *both* do. The cell is flat and in double precision, so that its numbers are the same
# everywhere.
#
# *Predict before you run: a step that lowers `oh`: does it raise `ie`, lower it, or leave it?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
flat_teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])
flat_teacher = flat_teacher.double().eval().requires_grad_(False)
generator = lab.seeded(0, lab.Generator, width=4).double()
z = torch.randn(128, 100, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
parameters = list(generator.parameters())


def losses():
    """L_OH and L_IE of the images painted from z (N, 100) -> two () in nats."""
    logits = flat_teacher(generator(z))
    return lab.one_hot(logits), lab.information_entropy(logits)


before, slopes = losses(), {}
for name, loss in zip(("oh", "ie"), before, strict=True):
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
    slopes[name] = torch.cat([g.flatten() for g in gradients])

start = torch.nn.utils.parameters_to_vector(parameters).detach()
for name, slope in slopes.items():
    torch.nn.utils.vector_to_parameters(start - 0.01 * slope / slope.norm(), parameters)
    after = losses()
    oh, ie = ((a - b).item() for a, b in zip(after, before, strict=True))
    print(f"a step down {name}:  oh {oh:+.4f}  ie {ie:+.4f}")
cosine = torch.cosine_similarity(slopes["oh"], slopes["ie"], dim=0)
print(f"cosine of the two slopes: {cosine:+.4f}")

# %% [markdown]
# Each step helps its own loss and hurts the other a little: the slopes stand at slightly more than a right angle. Here it
# is a mild conflict, not a war, and it changes from step to step. Notebook 07 follows it through training, with several
# seeds.
#
# ## The price
#
# What is class diversity worth? A weight says so: $L_{OH} + w\,L_{IE}$.
#
# *Predict before you run: as $w$ goes from 0.1 to 10, what happens to the effective classes, and what to `oh`?*

# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots

# %% tags=["not-banded"]
tried = (0.1, 0.3, 1.0, 3.0, 10.0)
swept = [train({"oh": 1, "ie": w})[1] for w in tried]
at, ticks = np.arange(len(tried)), [f"{w:g}" for w in tried]
classes = np.array([math.exp(-last(history, "ie")) for history in swept])
unsure = np.array([last(history, "oh") for history in swept])


def dots(title, values, style):
    """One dot per weight."""
    line = charts.Line(title, at, values, style, "dots")
    return charts.Curves(title, [line], "weight of ie", ticks=ticks)


charts.Panels(
    "the price of diversity", [dots("effective classes", classes, 0), dots("oh in nats", unsure, 1)]
)

# %% [markdown]
# ### Exercise 3: cure a collapse without touching authenticity
#
# Give weights with which a small generator shows the teacher at least 8 effective classes over the last 20 of 60 steps,
# while $L_{OH}$ stays below 0.35 nats. The weight of `oh` has to stay 1. The check trains it (a second or two).

# %% tags=["exercise-3"]
def weights_that_cure():
    """What each of the two losses is multiplied by; that of oh stays 1."""
    return {"oh": 1.0, "ie": ...}


lesson[3].check(weights_that_cure)
# lesson[3].hint()
# lesson[3].example()
# lesson[3].solution()

# %% [markdown]
# ## What to remember
#
# * $L_{IE} = -H(\bar p)$ looks at the *mean* answer: mean first, entropy second, natural logarithm, from $-\ln K$ to 0.
# * It is content with images of which the teacher knows nothing; authenticity is content with one class. Each mends the
#   other's blind spot.
# * $e^{-L_{IE}}$ is a number of classes, which is easier to read than nats.
# * Diversity has a price in authenticity, and a weight sets it.
#
# ## The paper, the code, and what we measured
#
# * *Code.* RDSKD's released code computes $\sum_k \bar p_k \ln \bar p_k$ over the whole batch, weight 1. DAFL's takes
#   $\log_{10}$, so its weight of 5 is 2.17 in nats. Both give NaN where a class never occurs; ours does not.
# * *Paper.* We have not read its body. Its abstract says that authenticity and class diversity often conflict, which makes
#   the losses fluctuate. Notebook 07 measures that.
# * *Measured.* With `oh` alone a generator of this size does not fall to one class in 150 steps: it goes from about 5
#   effective classes to about 3 (ten seeds: the band above). With `ie` it holds 9 or more, and the teacher is less sure of
#   its images. A weight of 0.1 is too little; beyond 1 little is won and, on one seed, little lost: from 1 to 10
#   authenticity loses less than 0.1 nats.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | entropy $H(p)$ | $-\sum_k p_k \ln p_k$: how undecided a probability is, in nats; 0 to $\ln K$ |
# | mean answer $\bar p$ | the mean of the teacher's probabilities over a batch, $K$ numbers |
# | cosine of two gradients | 1: same direction, 0: at right angles, below 0: each undoes some of the other |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
