# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 04 Authenticity: the one-hot loss
#
# **Goal.** Write the loss that asks a generator for images that the teacher is sure of, find its gradient by hand, and
# see what a generator paints when it is asked for nothing else.
#
# **Time.** About 20 minutes, of which 30 seconds are computing (two CPU cores).
#
# You know from notebook 03 that a generator $G$ turns latents $z$ into images, and that the teacher answers whatever it
# is shown. Now the answer becomes a judgement.

# %%
import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab.course import begin
from rdskd_lab.reporting import charts

lesson = begin("04_authenticity")

# %% [markdown]
# ## How sure is the teacher?
#
# A batch of $N$ images $x = G(z)$ goes through the teacher. It answers with *logits* $t \in \mathbb{R}^{N \times K}$, one
# number per image and class ($K = 10$ digits). A softmax over the classes makes them probabilities
# $p = \mathrm{softmax}(t)$, and $\max_k p_{ik}$ says how sure the teacher is of image $i$.
#
# *Predict before you run: 64 blots, of a generator half as wide as that of notebook 03. How sure is the teacher of
# them, and into how many of the ten classes does it sort so few?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"]).double().eval().requires_grad_(False)
generator = lab.seeded(0, lab.Generator, width=8).double()
z = torch.randn(64, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

with torch.no_grad():
    blots = generator(z)  # (64, 1, 32, 32)
    t = teacher(blots)  # (64, 10)
p = t.softmax(1)  # (64, 10), each row sums to 1
print(f"mean certainty: {p.max(1).values.mean():.4f}")
print(f"least and most: {p.max(1).values.min():.4f} and {p.max(1).values.max():.4f}")
print("classes seen: ", len(p.argmax(1).unique()), "of 10")

# %% [markdown]
# A teacher was never taught to say "this is no digit". It is rather sure of blots, and that is the weak point that
# data-free distillation works on: *certain* does not mean *realistic*.
#
# ## The loss
#
# $$L_{OH} = -\frac1N \sum_{i=1}^{N} \ln p_i[k_i], \qquad k_i = \arg\max_k t_{ik}$$
#
# The label $k_i$ is the teacher's own favourite, so this is a cross-entropy in which the teacher marks its own answer. It is
# called *one-hot* loss because it is 0 when each row of $p$ is one-hot: a 1 and nine zeros. Logarithms are natural,
# so its unit is the *nat*. It lies between 0 (sure) and $\ln K = 2.303$ (no idea).
#
# *Predict before you run: what is the loss of three images whose logits are all equal? Of three whose favourite leads by 10?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
own = t.argmax(1)  # (64,): the label that the teacher gives
by_hand = -p[torch.arange(64), own].log().mean()  # the formula, word for word
print(f"by hand:     {by_hand:.4f} nats")
print(f"the package: {lab.one_hot(t):.4f} nats")

no_idea, sure = torch.zeros(3, 10, dtype=torch.float64), torch.zeros(3, 10, dtype=torch.float64)
sure[:, 7] = 10
print(f"no idea: {lab.one_hot(no_idea):.4f}   sure: {lab.one_hot(sure):.4f}")

# %% [markdown]
# ### Exercise 1: the one-hot loss from scratch
#
# Write $L_{OH}$ yourself, for logits of any shape $(N, K)$, without `cross_entropy`. One thing to think about: `softmax` and
# then `log` gives $-\infty$ where a probability is too small for the number format. `log_softmax` does both at once.


# %% tags=["exercise-1"]
def one_hot_loss(logits):
    """L_OH of logits (N, K) -> () in nats."""
    ...


lesson[1].check(one_hot_loss)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## How hard does it pull?
#
# A generator learns from the gradient, so the gradient tells more than the value. For one image with favourite $k$:
#
# $$\frac{\partial (-\ln p_k)}{\partial t_j} = p_j - [j = k]$$
#
# ($[j = k]$ is 1 where $j = k$, and 0 elsewhere.) It pushes the favourite up and all others down. *Predict before you
# run: as the favourite's lead grows from 0 to 10, when is the pull strongest, and does it end?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
lead = torch.linspace(0, 10, 101, dtype=torch.float64)
logits = torch.zeros(101, 10, dtype=torch.float64)
logits[:, 0] = lead  # image i: class 0 leads by lead[i]
logits.requires_grad_()
one_each = -logits.log_softmax(1)[:, 0]  # (101,): L_OH of each image alone
pull = torch.autograd.grad(one_each.sum(), logits)[0].norm(dim=1)  # (101,)

x = lead.numpy()
charts.Panels(
    "one image whose favourite class leads",
    [
        charts.Curves("loss", [charts.Line("L_OH", x, one_each.detach().numpy())], "lead", "nats"),
        charts.Curves("pull", [charts.Line("|dL/dt|", x, pull.numpy())], "lead", "nats per logit"),
    ],
)

# %%
for gap in (0, 2, 10):
    print(f"lead {gap:2}: loss {one_each[10 * gap]:.4f}, pull {pull[10 * gap]:.4f}")

# %% [markdown]
# An image that the teacher cannot place is pulled hardest; one of which it is sure is left alone. So $L_{OH}$ does not
# decide *which* digit an image becomes: it makes each image more of what the teacher already takes it for.
#
# ### Exercise 2: its gradient by hand
#
# Write the gradient of $L_{OH}$ with respect to the logits, without autograd, for a whole batch.


# %% tags=["exercise-2"]
def one_hot_gradient(logits):
    """dL_OH/dt of logits t (N, K) -> (N, K), without autograd."""
    ...


lesson[2].check(one_hot_gradient)
# lesson[2].hint()
# lesson[2].example()
# lesson[2].solution()

# %% [markdown]
# ## Nothing but authenticity
#
# Now a generator is trained on $L_{OH}$ alone. In the package a method is a table of named terms. RDSKD's three are
# `oh`, which is $L_{OH}$, and `ie` and `ds`, the subjects of notebooks 05 and 06: these two are switched off. So is
# what the package calls *damping*, an exponential around `oh` that is left for notebook 07.
#
# *Predict before you run: after 300 steps, is the teacher surer than before? Into how many classes does it sort the images?*
#
# The number of classes is measured softly: with $\bar p = \frac1N\sum_i p_i$, the *effective number of classes* is $e^{H(\bar p)}$
# with the entropy $H(\bar p) = -\sum_k \bar p_k \ln \bar p_k$. It is 10 when all ten occur equally often, and 1 when there is only one.

# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots

# %%
STEPS = 300
teacher = teacher.float()
objective = lab.rdskd()
objective["oh"].damped = False
objective["ie"].on = objective["ds"].on = False

run = lab.Distillation(
    teacher,
    lab.LeNet5Half(),
    objective,
    lab.Settings(generator_steps=STEPS, batch_size=32, width=8, lr=4e-3),
    seed=lesson.seed,
)
losses, certainty, classes, pictures = [], [], [], [run.picture()]
for step in run.synthesise():
    p = step.batch.probs  # (32, 10)
    losses.append(step.raw["oh"])
    certainty.append(p.max(1).values.mean().item())
    classes.append(torch.special.entr(p.mean(0)).sum().exp().item())
    if step.i + 1 in (100, STEPS):
        pictures.append(run.picture())

wrong = "look whether oh is on and ie and ds are off"
lesson.band("certainty at the end", np.mean(certainty[-30:]), "%", look_at=wrong)
lesson.band("effective classes at the start", np.mean(classes[:5]), digits=1, look_at=wrong)
lesson.band("effective classes at the end", np.mean(classes[-30:]), digits=1, look_at=wrong)

# %%
steps, losses, classes = np.arange(STEPS), np.array(losses), np.array(classes)
charts.Panels(
    "a generator that is asked for authenticity alone",
    [
        charts.Curves("one-hot loss", [charts.Line("oh", steps, losses, 0, "noisy")], ylabel="nats"),
        charts.Curves("effective classes", [charts.Line("classes", steps, classes, 1, "noisy")], ylabel="of 10"),
    ],
)

# %% [markdown]
# The next figure shows the same 40 latents three times. An image keeps its place, in the row of what the teacher takes
# it for *at the last step*, so that you can follow it from left to right (six a row have room). The words on top count
# all 40 at their own step.

# %%
charts.samples(pictures, [str(k) for k in range(10)])

# %% [markdown]
# The loss did what it was asked: the teacher is surer. And the classes went: this is *mode collapse*, and here it comes slowly,
# class by class. Nothing in $L_{OH}$ speaks against it. A likely reason, which we did not test: what is sure is left alone, what
# is unsure moves until it is sure, and all images come from one generator, which has learned some classes already.
#
# ### Exercise 3: two batches that it cannot tell apart
#
# Write the teacher's answers to two batches of 50 images yourself, as logits of shape (50, 10). For both, $L_{OH}$ is below
# 0.01 nats and the same. In the first all images are of one class. In the second each of the ten classes has five images.


# %% tags=["exercise-3"]
def two_batches():
    """Logits of two batches, each (50, 10): (one class only, all ten equally often)."""
    ...
    # return collapsed, diverse


lesson[3].check(two_batches)
# lesson[3].hint()
# lesson[3].example()
# lesson[3].solution()

# %% [markdown]
# ## What to remember
#
# * $L_{OH}$ is a cross-entropy with the teacher's own answer as label: 0 nats if it is sure, $\ln K$ if it has no idea.
# * Its gradient at the logits is $(p - \text{one-hot})/N$: unsure images are pulled, sure ones left alone.
# * It looks at each image alone, so a batch of one class is as good as a batch of ten: the generator may collapse.
# * A teacher's certainty is no proof of realism.
#
# ## The paper, the code, and what we measured
#
# * **Released code** (RDSKD, and DAFL before it): `cross_entropy(logits, argmax(logits))`, which is the loss above. RDSKD then
#   damps it (notebook 07). The body of the paper was not read by us.
# * **Measured here**: with this loss alone the effective number of classes fell in every one of ten seeds, to the range that stands
#   above, within 300 steps. It did not fall to 1: at this scale collapse is a narrowing, not a single image.
# * **Where they differ**: the published schedule runs 2,400 steps of 512 images with a generator 16 times as wide. That was not run here.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | authenticity | the teacher is sure of an image, whatever it shows |
# | one-hot loss $L_{OH}$ | cross-entropy of the teacher's answer with its own favourite as label |
# | nat | the unit of a natural logarithm of a probability; $\ln 2 = 0.693$ nats are one bit |
# | mode collapse | a generator paints few kinds of images, however many it is asked for |
# | effective number of classes | $e^{H}$, where $H$ is the entropy of how often each class occurs |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
