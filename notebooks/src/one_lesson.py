# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # RDSKD in one lesson
#
# **Goal.** Train a network that reads handwritten digits without showing it a single one. You build the three losses that make
# this work, switch them on and off in the live lab, and test your own student.
#
# **Time.** About 50 minutes, of which 30 seconds are computing (two CPU cores). You do not need any other notebook,
# only the basics of PyTorch: tensors, a loss, a training loop.
#
# Run a cell with Shift + Enter. The first cell checks your machine and tells you what to type if something needs
# fixing.

# %%
from dataclasses import replace

import torch

import rdskd_lab as lab
from rdskd_lab.course import begin, five_boxes, sheet
from rdskd_lab.lab import Lab
from rdskd_lab.reporting import charts

lesson = begin("one_lesson")

# %% [markdown]
# ## 1 The problem: a teacher without its data
#
# You have a trained network that reads digits, the *teacher*. Its training images are gone: they were private, or
# their licence has expired. You want a smaller network, the *student*, that does the same job on a small device.
#
# If you have the images, this is easy: show them to both networks, and train the student to give the teacher's
# answers. This is called *knowledge distillation*. But what do you show the networks if you have no images?
#
# The simplest idea is noise: images of random pixels. The teacher gives an answer for anything that you show it.
#
# *Predict before you run: the teacher has never seen noise. How sure will it be of such an image, in per cent? And
# will it see all ten digits in 500 images of noise?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
teacher = lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"]).eval()
test = lab.load_data("digits", "test")  # 1,000 real digits, only for tests: no network here learns from them
noise = torch.randn(500, 1, 32, 32, generator=torch.Generator().manual_seed(0))

with torch.no_grad():
    p = teacher(noise).softmax(1)  # (500, 10): one probability per image and digit; each row sums to 1
sure, answer = p.double().max(1)
print(f"real digits that the teacher reads: {lab.accuracy(teacher, test):.4f}")
print(f"certainty on noise: {sure.mean():.4f} on average, from {sure.min():.4f} to {sure.max():.4f}")
print("how often it answers 0 to 9:", torch.bincount(answer, minlength=10).tolist())

# %% tags=["picture-noise"]
digits = test.normalise(test.images[::100])  # one of each class
sheet({"real digits": digits, "noise": noise[:10]}, teacher)

# %% [markdown]
# The teacher always gives an answer, even for noise. But in noise it sees mostly a few digits, so a student that
# learns from noise learns almost nothing about the others. We need better images.
#
# ## 2 The idea: let the teacher tell us which images are good
#
# A third network, the *generator*, turns random numbers into images. At first its images are as useless as noise. In
# each step, we measure the teacher's answers with a *loss*: one number, and lower is better. PyTorch sends the
# gradient of this number back through the teacher to the generator, and the generator improves. The teacher itself
# never changes.

# %% tags=["picture-boxes"]
generator = lab.seeded(lesson.seed, lab.Generator, width=8)
with torch.no_grad():
    untrained = generator(generator.latents(8, torch.Generator().manual_seed(0)))  # (8, 1, 32, 32)
five_boxes(untrained, digits)

# %% [markdown]
# So everything depends on the loss. RDSKD (*Robustness and Diversity Seeking Data-Free Knowledge Distillation*) has
# three losses, one for each requirement:
#
# | requirement | name | symbol |
# |---|---|---|
# | The teacher is sure of each image. | authenticity | `oh` |
# | All ten digits occur equally often. | class diversity | `ie` |
# | The images differ from each other. | sample diversity | `ds` |
#
# You will now write all three. `check` tests what your function returns, not how you wrote it. `hint` gives three
# hints, and `solution` shows one possible answer. You can always continue without an answer.
#
# ## 3 Authenticity: be sure of each image
#
# The teacher answers a batch of $N$ images with *logits* $t$ of shape $(N, K)$: one number for each image and each of the $K = 10$
# digits. A softmax turns them into probabilities $p$. Let $k_i$ be the teacher's favourite digit for image $i$. Then
#
# $$L_{OH} = -\frac1N \sum_i \ln p_{i k_i}$$
#
# This is 0 if the teacher is sure of every image. It is $\ln 10 = 2.3$ if the teacher has no idea.
#
# ### Exercise 1: the one-hot loss from scratch
#
# Write this loss in two or three short lines. Use `log_softmax`; it is safer than `softmax` followed by `log`.


# %% tags=["exercise-1"]
def one_hot_loss(logits):
    """L_OH of logits (N, K) -> one number."""
    ...


lesson[1].check(one_hot_loss)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# Now we train a generator with this loss alone.
#
# *Predict before you run: after 150 steps, will the teacher be surer of the images? And how many of the ten digits will still
# occur?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots


# %% tags=["picture-collapse"]
def train(*names, steps=150):
    """Train a generator with some of the three losses; return its images before and after, and both measurements."""
    objective = lab.rdskd()
    for name, term in objective.items():
        term.on, term.damped = name in names, False
    settings = replace(lab.PRESETS["classroom"], generator_steps=steps, width=8, pooled=False)
    run = lab.Distillation(teacher, lab.LeNet5Half(), objective, settings, seed=lesson.seed, device=lesson.device)
    shown, last = [run.picture()], []
    for step in run.synthesise():
        p = step.batch.probs  # (64, 10)
        last = [*last, torch.stack([p.max(1).values.mean(), torch.special.entr(p.mean(0)).sum().exp()])][-30:]
    certainty, classes = torch.stack(last).mean(0).tolist()
    return [*shown, run.picture()], certainty, classes


alone, certainty, classes = train("oh")
lesson.band("certainty with oh alone", certainty, "%")
lesson.band("effective classes with oh alone", classes, digits=1)
charts.samples(alone, list("0123456789"))

# %% [markdown]
# (*Effective classes* is 10 if all digits occur equally often in a batch, and 1 if only one occurs.)
#
# The figure shows 40 images before and after training, arranged in rows by the teacher's answer after training. The
# teacher is surer now. But digits are missing: this is *mode collapse*. The loss looks at each image separately, so
# it cannot notice that all images show the same few digits.
#
# ## 4 Class diversity: use all ten digits
#
# The second loss looks at the whole batch. Take the mean of all answers, $\bar p_k = \frac1N \sum_i p_{ik}$. If all digits
# occur equally often, each $\bar p_k$ is $1/10$. The loss is lowest exactly there:
#
# $$L_{IE} = \sum_k \bar p_k \ln \bar p_k$$
#
# It lies between $-\ln 10 = -2.3$ (all digits equally often) and 0 (only one digit).
#
# ### Exercise 2: the class-diversity loss from scratch
#
# Compute first the softmax, then the mean over the images, then the sum. There is one trap: $0 \cdot \ln 0$ is `nan`
# in PyTorch, and so is its gradient. Using `clamp_min` inside the logarithm avoids both.


# %% tags=["exercise-2"]
def class_diversity(logits):
    """L_IE of logits (N, K) -> one number, from -ln K to 0."""
    ...


lesson[2].check(class_diversity)
# lesson[2].hint()
# lesson[2].example()
# lesson[2].solution()

# %% [markdown]
# *Predict before you run: we train with both losses. How many digits will there be now? And will the teacher be as
# sure as before, or less sure?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %% tags=["picture-diverse"]
both, certainty, classes = train("oh", "ie")
lesson.band("certainty with oh and ie", certainty, "%")
lesson.band("effective classes with oh and ie", classes, digits=1)
charts.samples(both, list("0123456789"))

# %% [markdown]
# All digits are back, and the teacher is a little less sure. The two losses pull in different directions: the easiest
# way to make the teacher sure is to make only a few kinds of images.
#
# ## 5 Sample diversity: do not make the same image twice
#
# The third loss compares pairs: image $i$ of the first half of the batch with image $i$ of the second half. It
# divides the distance between the answers $P$ by the distance between the images $x$:
#
# $$L_{DS} = \frac{\lVert P^2 - P^1 \rVert}{\lVert x^2 - x^1 \rVert}$$
#
# A low value means that the images differ more than the answers to them do. So a three may look different from the
# next three.
#
# ### Exercise 3: the diversity-seeking loss from scratch
#
# `images.chunk(2)` gives both halves. Each norm is taken over a whole half. If the two halves were equal, you would
# divide by 0, so add `1e-8` to the denominator.


# %% tags=["exercise-3"]
def diversity(images, probs):
    """L_DS of images (N, C, S, S) and probabilities (N, K) -> one number."""
    ...


lesson[3].check(diversity)
# lesson[3].hint()
# lesson[3].example()
# lesson[3].solution()

# %% [markdown]
# ## 6 The live lab: one switch at a time
#
# The lab trains a generator with all three losses while you watch. Run the cell and press **Play**. Then try these,
# one at a time, and look at the images and the bars. **Reset** starts again.
#
# | what you do | where to look | question |
# |---|---|---|
# | play 100 steps, then switch **Class diversity** off | the bars of the ten digits | After how many steps do you see a change? |
# | switch it on again | the bars | Do all digits come back? |
# | Reset, set the weight of **Authenticity** to 30, play | the images and the bars | Are the images better? What is the price? |
# | press **readable digits** | the images | Do they need to look like digits? |
#
# After a change, a **twin** appears in grey. It is the same run without your change. So any difference between the
# two has one cause: your change.

# %% tags=["not-banded"]
small = replace(lab.PRESETS["classroom"], width=8)  # a narrow generator, for slow machines too
live = Lab(settings=small, seed=lesson.seed, device=lesson.device, steps=40)
live

# %% [markdown]
# Each card also has a **damping** switch. This is the paper's best-known idea: multiply the gradient of a loss by
# $e^{L-a}$, where $a$ is an earlier value of the same loss. Then a loss that has risen pulls harder. Does damping
# help? In 310 runs at our small scale, we could not see a difference. Switch it off and look for one yourself.
#
# ## 7 The student
#
# Now we run the whole method. The generator trains with all three losses, and its images go into a pool. Then the
# student learns the teacher's answers to the images in the pool. The student has half as many channels as the
# teacher. It sees no real digits and no labels.
#
# *Predict before you run: how many of the 1,000 real digits will your student read correctly? Guessing gives 10 %.*

# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots


# %%
def distil(method, generator_steps):
    """Run a method from beginning to end; the run, with its student."""
    settings = replace(method.presets["classroom"], generator_steps=generator_steps, student_steps=600, width=8)
    student = lab.seeded(lesson.seed, lab.LeNet5Half)
    run = lab.Distillation(
        teacher, student, method.terms(), settings, method=method, seed=lesson.seed, device=lesson.device
    )
    for step in run:
        pass
    return run


run, from_noise = distil(lab.METHODS["rdskd"], 300), distil(lab.METHODS["noise"], 0)
lesson.band("student that saw generated images", lab.accuracy(run.student, test), "%",
            look_at="so short a run depends on its seed")
lesson.band("student that saw noise", lab.accuracy(from_noise.student, test), "%")

# %% tags=["picture-student"]
made = run.picture()
sure = made["confidence"].argsort(descending=True)
surest = [int(next(i for i in sure if made["labels"][i] == k)) for k in made["labels"].unique()]  # of each class
row = {key: made[key][surest] for key in ("images", "labels", "confidence")}
sheet({"generated\nthe student saw\nimages like these": row, "real digits\nit never saw any": digits}, teacher)

# %% [markdown]
# The generated images do not look like digits to us. Still, the student reads most of the real digits correctly. Here
# is a likely reason, which we did not test. The student does not need to know what digits look like. It needs to know
# where the teacher's answer changes from one digit to another, and images that are not digits show this too.
#
# ## What to remember
#
# * A teacher without its data still answers any question. The skill lies in asking good ones.
# * Good questions meet three requirements: sure answers, all classes, and different images. Each corrects a failure
#   of the others.
# * Change one thing at a time, from the same start. Only then does a difference have a single cause.
# * A teacher can be sure of an image that does not show a digit at all. Being certain does not mean being right.
#
# ## The paper, the code, and what we measured
#
# * **The paper**: RDSKD (ICASSP 2021, arXiv 2011.03749). We have read the authors' code, not the body of their paper.
#   The formulas are taken from the code.
# * **Measured here**: the results in the lines *yours ..., typical ...* above. The typical range was computed from
#   ten seeds; about 1 run in 20 lies outside it by luck alone.
# * **Where they differ**: this is a short run of a small generator. The package's preset `classroom` takes half a minute and reaches
#   97.75 ± 0.17 % on MNIST's 10,000 test images. The published schedule is many times longer; we have not run it in full.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | teacher, student | the trained network, and the smaller network that learns its answers |
# | generator | a network that turns random numbers into images |
# | logits, softmax | a network's raw answer; the function that turns it into probabilities |
# | mode collapse | when a generator makes only a few kinds of images |
# | damping | multiplying the gradient of a loss by $e^{L-a}$, the *gain* |
# | seed | the number that determines everything random in a run |
#
# **What next?** Notebook `00_start_here` begins the whole course: what each loss does alone, what damping does, and
# how to use your own teacher.

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
