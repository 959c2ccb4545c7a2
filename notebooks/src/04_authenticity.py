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
# **Goal.** Write the loss that rewards images of which the teacher is sure. Derive its gradient by hand. See what a
# generator makes if it minimises nothing else.
#
# **Time.** About 35 minutes, of which 15 seconds are computing (two CPU cores).
#
# You know from notebook 03 that a generator $G$ turns latents $z$ into images, and that the teacher gives an answer
# for any image. Now we turn this answer into a judgement.

# %%
import numpy as np
import torch

import rdskd_lab as lab
from rdskd_lab.course import begin, sheet
from rdskd_lab.lab import Lab
from rdskd_lab.reporting import charts

lesson = begin("04_authenticity")

# %% [markdown]
# ## How sure is the teacher?
#
# A batch of $N$ images $x = G(z)$ goes through the teacher, which returns *logits* $t \in \mathbb{R}^{N \times K}$,
# one number for each image and each of the $K = 10$ digits. A softmax over the classes turns them into probabilities
# $p = \mathrm{softmax}(t)$. The largest of them, $\max_k p_{ik}$, shows how sure the teacher is of image $i$.
#
# *Predict before you run: here are 64 blots from an untrained generator, half as wide as the one in notebook 03. How
# sure is the teacher of them? And into how many of the ten classes does it sort these few images?*

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
# The teacher never learned to say "this is not a digit", and it is fairly sure even of blots. Data-free distillation
# relies on this weakness. Remember: *certain* does not mean *realistic*.
#
# ## The loss
#
# $$L_{OH} = -\frac1N \sum_{i=1}^{N} \ln p_i[k_i], \qquad k_i = \arg\max_k t_{ik}$$
#
# The label $k_i$ is the teacher's own favourite class. So this is a cross-entropy in which the teacher grades its own
# answer. The name *one-hot* loss comes from its best case: it is 0 when each row of $p$ is one-hot, a 1 and nine
# zeros. The logarithm is the natural one, so the unit of the loss is the *nat*. The loss lies between 0 (sure) and
# $\ln K = 2.303$ (no idea).
#
# *Predict before you run: what is the loss of three images whose logits are all equal? And what is the loss of three
# images whose favourite logit leads by 10?*

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
# Write $L_{OH}$ yourself, for logits of any shape $(N, K)$, without `cross_entropy`. Think about small numbers: if a
# probability is too small for its number format, it becomes 0, and `softmax` followed by `log` gives $-\infty$.
# `log_softmax` computes both in one step and avoids this.


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
# A generator learns from the gradient, so the gradient matters more than the value. For one image with favourite class $k$:
#
# $$\frac{\partial (-\ln p_k)}{\partial t_j} = p_j - [j = k]$$
#
# ($[j = k]$ is 1 if $j = k$, and 0 otherwise.) A step against this gradient raises the logit of the favourite class
# and lowers all others.
#
# *Predict before you run: the lead of the favourite logit grows from 0 to 10. When is the pull strongest? Does it
# ever become exactly zero?*

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
# The loss pulls hardest on an image that the teacher cannot classify. When the teacher is sure, the loss leaves the
# image almost unchanged. So $L_{OH}$ does not decide *which* digit an image becomes. It makes each image more like
# the digit that the teacher already sees in it.
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
# ## Authenticity alone
#
# Now we train a generator with $L_{OH}$ alone. In the package, a method is a table of named terms. RDSKD has three:
# `oh` is $L_{OH}$; `ie` and `ds` are the subjects of notebooks 05 and 06. We switch `ie` and `ds` off. We also switch
# off *damping*, which wraps `oh` in an exponential; it is the subject of notebook 07.
#
# *Predict before you run: after 300 steps, is the teacher surer than before? Into how many classes does it sort the images?*
#
# We count classes as in notebook 01. With the mean answer $\bar p = \frac1N\sum_i p_i$ and its entropy
# $H(\bar p) = -\sum_k \bar p_k \ln \bar p_k$, the *effective number of classes* is $e^{H(\bar p)}$: 10 when all ten are equally
# frequent, 1 when there is only one.

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
    device=lesson.device,
)
losses, certainty, classes, pictures = [], [], [], [run.picture()]
for step in run.synthesise():
    p = step.batch.probs  # (32, 10)
    losses.append(step.raw["oh"])
    certainty.append(p.max(1).values.mean())
    classes.append(torch.special.entr(p.mean(0)).sum().exp())
    if step.i + 1 in (100, STEPS):
        pictures.append(run.picture())
certainty, classes = torch.stack(certainty).tolist(), torch.stack(classes).tolist()

wrong = "look whether oh is on and ie and ds are off"
lesson.band("certainty at the end", np.mean(certainty[-30:]), "%", look_at=wrong)
lesson.band("effective classes at the start", np.mean(classes[:5]), digits=1, look_at=wrong)
lesson.band("effective classes at the end", np.mean(classes[-30:]), digits=1, look_at=wrong)

# %%
steps, losses, classes = np.arange(len(losses)), np.array(losses), np.array(classes)
charts.Panels(
    "a generator that is asked for authenticity alone",
    [
        charts.Curves("one-hot loss", [charts.Line("oh", steps, losses, 0, "noisy")], ylabel="nats"),
        charts.Curves("effective classes", [charts.Line("classes", steps, classes, 1, "noisy")], ylabel="of 10"),
    ],
)

# %% [markdown]
# The next figure shows the same 40 latents three times. Each row belongs to one of the teacher's answers *at the last
# step* and has at most six images. Each image keeps its place, so you can follow it from left to right. The titles
# count all 40 images.

# %%
charts.samples(pictures, [str(k) for k in range(10)])

# %% [markdown]
# The loss did its job: the teacher is surer. But classes disappeared. This is *mode collapse*. Here it happens
# slowly, class by class, and nothing in $L_{OH}$ prevents it. Here is a likely reason, which we did not test: the
# loss leaves sure images alone and changes unsure ones until the teacher is sure of them. All images come from one
# generator, and it has already learned to make some of the classes.
#
# The next figure shows the first ten of these images before and after training, with real digits for comparison:



# %%
test = lab.load_data("digits", "test")
sheet({"before": pictures[0], "after\n300 steps": pictures[-1], "real digits": test.normalise(test.images[::100])}, teacher, most=10)

# %% [markdown]
# ### In the lab
#
# Of the three cards, the screen here shows only *Authenticity*; the other two losses are on as well. Press **Play**
# and wait for 100 steps. Then switch *Authenticity* off for 100 steps, and on again. Watch the percentages below the
# images.

# %% tags=["not-banded"]
Lab(seed=lesson.seed, device=lesson.device, steps=40, only="oh", learn=False)

# %% [markdown]
# ### Exercise 3: two batches that it cannot tell apart
#
# Invent the teacher's answers to two batches of 50 images, as logits of shape (50, 10). Both batches must have the
# same $L_{OH}$, below 0.01 nats. In the first batch, all images are of one class. In the second, each of the ten
# classes has five images.

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
# * $L_{OH}$ is a cross-entropy with the teacher's own answer as the label. It is 0 nats if the teacher is sure, and $\ln K$ if it has no
#   idea.
# * Its gradient with respect to the logits is $(p - \text{one-hot})/N$. It pulls unsure images and leaves sure ones alone.
# * It looks at each image separately. To this loss, a batch of one class is as good as a batch of ten classes, so the
#   generator may collapse.
# * A teacher's certainty does not prove that an image is realistic.
#
# ## The paper, the code, and what we measured
#
# * **Released code** (RDSKD, and DAFL before it): `cross_entropy(logits, argmax(logits))`. This is the same as the
#   loss above. RDSKD also damps it (notebook 07). We have not read the body of the paper.
# * **Measured here**: with this loss alone, the effective number of classes fell within 300 steps for every one of
#   ten seeds. Its range is given above. It did not fall to 1: at this scale, collapse means fewer classes, not a
#   single image.
# * **Where they differ**: the published schedule has 2,400 generator steps of 512 images and a generator 16 times as
#   wide. We did not run it.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | authenticity | how sure the teacher is of an image, whatever the image shows |
# | one-hot loss $L_{OH}$ | cross-entropy of the teacher's answer, with its own favourite class as the label |
# | nat | the unit of a natural logarithm of a probability; $\ln 2 = 0.693$ nats are one bit |
# | mode collapse | when a generator makes only a few kinds of images |
# | effective number of classes | $e^{H}$, where $H$ is the entropy of the shares of the classes |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
