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
# **Goal.** Write the loss that rewards a batch for containing all classes. See how it cures the collapse of notebook
# 04, and measure what this costs in authenticity.
#
# **Time.** About 30 minutes, of which 30 seconds are computing (two CPU cores).
#
# **The question.** A generator that minimises the one-hot loss alone keeps the few classes that it makes best. A
# student that learns from its images never sees the other classes. Yet there is nothing wrong with any single image.
# So how can a loss detect the problem?

# %%
import math
from dataclasses import replace

import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab import torch_state
from rdskd_lab.course import begin, sheet
from rdskd_lab.lab import Lab
from rdskd_lab.reporting import charts
from rdskd_lab.reporting.history import history_of

lesson = begin("05_class_diversity")
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])

# %% [markdown]
# ## Look at the batch, not at the image
#
# The teacher answers $N$ images with $p_i = \mathrm{softmax}(t_i)$. Each answer is a row of $K$ probabilities. Their
# mean
#
# $$\bar p = \frac1N \sum_i p_i \in \mathbb{R}^K$$
#
# shows how much of each class the batch contains. Its **entropy** $H(\bar p) = -\sum_k \bar p_k \ln \bar p_k$ is 0 if
# there is only one class, and $\ln K$ if all $K$ classes have equal shares. Losses are minimised, so we take
#
# $$L_{IE} = \sum_k \bar p_k \ln \bar p_k = -H(\bar p) \quad\text{in nats, from } -\ln K \text{ (best) to } 0 \text{ (worst)}.$$
#
# A number that is easier to read is $e^{H(\bar p)}$, the **effective number of classes**: 10 for ten equally frequent
# classes, 1 for a single class. We used it in notebook 04 to watch the collapse.
#
# *Predict before you run: here are four batches of four images, with $K = 4$. For which of them is $L_{IE}$ lowest?
# Which would you choose to train a student?*

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
# To $L_{IE}$, the first and the last batch look the same. It sees only the mean, and the mean of four undecided
# answers is the same as the mean of four sure answers for four different classes. Only $L_{OH}$ can tell these two
# batches apart. **Neither loss makes sense alone**: one wants each image to belong clearly to *one* class, and the
# other wants the batch to contain *all* classes.
#
# ### Exercise 1: the class-diversity loss from scratch
#
# Write $L_{IE}$ for logits of any shape $(N, K)$. If a class never occurs, $\bar p_k$ is exactly 0. The loss and its
# gradient must be finite in this case too.

# %% tags=["exercise-1"]
def class_diversity(logits):
    """L_IE of logits (N, K) -> () in nats, from -ln K to 0."""
    ...


lesson[1].check(class_diversity)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# In the package, this loss is called `lab.information_entropy`. We use it from here on. Its gradient shows in which
# direction the loss pushes. For an image with answer $p_i$,
#
# $$\frac{\partial L_{IE}}{\partial t_{ik}} = \frac{p_{ik}}{N}\Big(\ln \bar p_k - \sum_j p_{ij} \ln \bar p_j\Big).$$
#
# A step against this gradient lowers the logits of classes that are frequent in the batch ($\ln \bar p_k$ near 0) and
# raises those of rare ones. It pushes all images in the same direction. But look at the factor $p_{ik}$: an image
# gets no push towards a class whose probability in its answer is zero.

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
# ### Exercise 2: a batch that is good for both losses
#
# Write down logits for six images and three classes. $L_{IE}$ must be within 0.01 of its lowest value $-\ln 3$, and
# $L_{OH}$ must be below 0.01.

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
# Now we train three generators from the same weights, each for 150 steps of 64 images. The first minimises `oh`
# alone, the second `ie` alone, and the third both, each with weight 1. There is no damping and no `ds`.
#
# *Predict before you run: at which value does each of the two losses end in each of the three runs?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
def train(asked, steps=150):
    """Train a generator on the losses in `asked`, {name: weight}; the run and its history."""
    objective = lab.rdskd()
    for name, term in objective.items():
        term.damped, term.on, term.weight = False, name in asked, asked.get(name, 0.0)
    settings = replace(lab.PRESETS["classroom"], generator_steps=steps, pooled=False)
    student = lab.seeded(lesson.seed, lab.LeNet5Half)  # it does not learn here, so no images are pooled
    run = lab.Distillation(teacher, student, objective, settings, seed=lesson.seed, device=lesson.device)
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
    "three generators: what each loss does where it is minimised, and where it is not",
    [
        charts.Curves("authenticity (oh): lower is surer", sure, ylabel="nats per image"),
        charts.Curves("effective classes: 10 is best", diverse, ylabel="classes"),
    ],
)

# %% [markdown]
# With authenticity alone, the teacher becomes surer, but classes disappear. With class diversity alone, all classes
# are there, but the teacher is less sure than it was of the *untrained* generator's images. With both losses, all
# classes are there too, but the images are a little less authentic: on the left, compare where the lines of `oh alone` and `oh + ie`
# end.
#
# Here are images from the three generators, made from the same latents:

# %%
test = lab.load_data("digits", "test")
ends = {"after\n1 step": train({"oh": 1}, steps=1)[0].picture()} | {name: run.picture() for name, (run, _) in runs.items()}
sheet(ends | {"real digits": test.normalise(test.images[::100])}, teacher, most=10)

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
# Which classes are left? We let the teacher sort 1,000 new images from two of the generators.

# %%
def shares(run):
    """How much of each class the teacher sees in 1,000 images, in percent, (K,)."""
    with torch.no_grad(), torch_state.buffers_kept(run.generator):
        images = run.generator(run.generator.latents(1000, torch.Generator().manual_seed(1)))
    return torch.bincount(run.teacher(images).argmax(1).cpu(), minlength=10).numpy() / 10


def bars(name, style):
    """A run's shares as bars over the ten classes."""
    line = charts.Line(name, np.arange(10), shares(runs[name][0]), style, "bars")
    even = (10, "even share: 10 %")
    return charts.Curves(name, [line], "the teacher's answer", level=even, unit=" %", ticks=list("0123456789"))


charts.Panels("what the teacher sees in 1,000 images", [bars("oh alone", 0), bars("oh + ie", 2)])

# %% [markdown]
# ### In the lab
#
# Of the three cards, the screen here shows only *Class diversity*. Press **Play**, wait for 100 steps, and switch
# this loss off. The bars become uneven after about ten steps. Switch it on again, and within seconds they become
# nearly equal.

# %% tags=["not-banded"]
Lab(seed=lesson.seed, device=lesson.device, steps=40, only="ie", learn=False)

# %% [markdown]
# ## The conflict, in one step
#
# Do the two losses really work against each other? We take one small step down the slope of each loss. Both steps
# have the same length, and the latents are the same. Then we measure *both* losses. This cell uses double precision,
# so its numbers are the same on every machine.
#
# *Predict before you run: does a step that lowers `oh` raise `ie`, lower it, or leave it unchanged?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
flat_teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"])
flat_teacher = flat_teacher.double().eval().requires_grad_(False)
generator = lab.seeded(0, lab.Generator, width=4).double()
z = torch.randn(128, 100, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
parameters = list(generator.parameters())


def losses():
    """L_OH and L_IE of the images made from z (N, 100) -> two () in nats."""
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
# Each step helps its own loss and hurts the other one a little: the angle between the two slopes is slightly more
# than a right angle. This is only a mild conflict, and it changes from step to step. Notebook 07 follows it
# throughout training.
#
# ## The price
#
# How much class diversity do we want? The weight $w$ in $L_{OH} + w\,L_{IE}$ decides.
#
# *Predict before you run: $w$ grows from 0.1 to 10. What happens to the effective classes? And what happens to `oh`?*

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
# ### Exercise 3: cure a collapse and keep authenticity
#
# A small generator trains for 60 steps. Choose a weight of `ie` such that, over the last 20 steps, there are at least
# 8 effective classes and $L_{OH}$ stays below 0.35 nats. Keep the weight of `oh` at 1. The check trains the
# generator, which takes a second or two.

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
# * $L_{IE} = -H(\bar p)$ looks at the *mean* answer: first take the mean, then its entropy, with the natural
#   logarithm. It lies between $-\ln K$ and 0.
# * Class diversity alone accepts images that tell the teacher nothing. Authenticity alone accepts a single class.
#   Each loss sees what the other cannot.
# * $e^{-L_{IE}}$ is a number of classes. It is easier to read than nats.
# * Diversity costs authenticity. The weight decides how much.
#
# ## The paper, the code, and what we measured
#
# * *Code.* RDSKD's released code computes $\sum_k \bar p_k \ln \bar p_k$ over the whole batch, with weight 1. DAFL's
#   code uses $\log_{10}$, so its weight of 5 corresponds to 2.17 in nats. Both give NaN if a class never occurs. Ours
#   does not.
# * *Paper.* We have read its abstract only. It says that authenticity and class diversity often conflict, and that the
#   losses therefore fluctuate. Notebook 07 measures this.
# * *Measured.* With `oh` alone, a generator of this size does not collapse to one class in 150 steps: it goes from
#   about 5 effective classes to about 3 (ten seeds; the range is above). With `ie` it keeps 9 or more, and the
#   teacher is less sure of its images. A weight of 0.1 is too small. Beyond 1, the number of effective classes grows
#   little, and with the one seed that we ran, authenticity loses little too: less than 0.1 nats from weight 1 to 10.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | entropy $H(p)$ | $-\sum_k p_k \ln p_k$: how spread out the probabilities $p$ are, in nats; from 0 to $\ln K$ |
# | mean answer $\bar p$ | the mean of the teacher's probabilities over a batch; $K$ numbers |
# | cosine of two gradients | 1: same direction; 0: at right angles; below 0: each step undoes some of the other's work |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
