# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 11 A teacher of your own
#
# **Goal.** Distil a network that you wrote, trained on pictures of your own, and know where that ends: what a teacher
# must be like, what its copy says about privacy, and what a file or a module from somebody else may do to your machine.
#
# **Time.** About 25 minutes, of which 15 seconds are computing (two CPU cores).

# %%
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

import rdskd_lab as lab
from rdskd_lab import training
from rdskd_lab.course import Figure, begin, canvas
from rdskd_lab.reporting import charts
from rdskd_lab.runs import train_teacher

lesson = begin("11_your_own_teacher")

# %% [markdown]
# ## Pictures of your own
#
# A data set is a folder: `FOLDER/train/CLASS/*.png` and `FOLDER/test/CLASS/*.png`. Replace this one by yours; here four
# outlines are drawn, 28 x 28 grey pixels, at random places, sizes and angles, with some noise.

# %%
place = tempfile.TemporaryDirectory()  # gone when this notebook's kernel is
folder = Path(place.name)
rng = np.random.default_rng(0)
CORNERS = {"circle": 40, "cross": 0, "square": 4, "triangle": 3}


def draw(corners):
    """One outline, 28 x 28 grey pixels; a cross has no corners, a circle forty."""
    radius, angle = rng.uniform(5, 10), rng.uniform(-0.35, 0.35)
    x, y = rng.uniform(radius + 1, 27 - radius, 2)
    turns = angle + 2 * np.pi * (np.arange(corners or 4) + 0.5) / (corners or 4)
    points = [(x + radius * np.sin(t), y - radius * np.cos(t)) for t in turns]
    picture = Image.new("L", (28, 28))
    for line in [points + points[:2]] if corners else [points[::2], points[1::2]]:
        ImageDraw.Draw(picture).line(line, fill=255, width=int(rng.integers(2, 4)))
    pixels = rng.uniform(0.6, 1) * np.asarray(picture, dtype=float) + rng.normal(0, 12, (28, 28))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


for part, count in (("train", 200), ("test", 100)):
    for name, corners in CORNERS.items():
        (folder / part / name).mkdir(parents=True)
        for i in range(count):
            draw(corners).save(folder / part / name / f"{i:03}.png")

# %% [markdown]
# A teacher expects its pixels *normalised*: less the mean of its training data, over their standard deviation. That is
# the one thing about its data that you have to know, because the generator paints at that scale.
#
# *Predict before you run: the pictures are thin bright lines on black. Is the mean of all pixels (0 black, 1 white)
# nearer to 0.1 or to 0.5?*

# %% tags=["prediction-1"]
lesson.predict(1, ...)  # type your guess in quotes, in place of the dots

# %%
pixels = lab.load_data(folder, "train", size=28).images.double() / 255  # (800, 1, 28, 28)
mean, std = pixels.mean().item(), pixels.std(unbiased=False).item()
print(f"mean {mean:.4f}, standard deviation {std:.4f}")
train, test = (lab.load_data(folder, part, size=28, mean=(mean,), std=(std,)) for part in ("train", "test"))
print(len(train), "pictures to train,", len(test), "to test; classes:", ", ".join(train.classes))

# %%
figure, axes = canvas(10, 1.2, 12)
for axis, i in zip(axes, (200 * k + j for k in range(4) for j in range(3)), strict=True):
    axis.imshow(train.images[i, 0], cmap="gray")
    axis.set(xticks=[], yticks=[], title=train.classes[train.labels[i]])
alt = "Twelve pictures, three of each class: thin bright outlines of circles, crosses, squares, triangles on black."
Figure("pictures of one's own", figure, alt)

# %% [markdown]
# ## A network of your own
#
# Any `nn.Module` can teach if `forward(images)` gives *logits* (N, K). The package reads the number of classes,
# features and BatchNorm statistics through hooks, so the network needs no other method. This one takes 28 x 28, has no
# BatchNorm and four classes; its student is of the same kind, a third as wide.


# %%
class Outlines(nn.Module):
    """(N, 1, 28, 28) -> logits (N, classes)."""

    def __init__(self, width, classes=4):
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(1, width, 5), nn.ReLU(), nn.MaxPool2d(2),  # 24 x 24, then 12 x 12
            nn.Conv2d(width, 2 * width, 5), nn.ReLU(), nn.MaxPool2d(2),  # 8 x 8, then 4 x 4
        )  # fmt: skip
        self.answer = nn.Linear(2 * width * 4 * 4, classes)

    def forward(self, images):
        return self.answer(self.look(images).flatten(1))


teacher = lab.seeded(lesson.seed, Outlines, 12)
student = lab.seeded(lesson.seed, Outlines, 4)
for name, net in (("teacher", teacher), ("student", student)):
    print(name, sum(p.numel() for p in net.parameters()), "parameters")

optimizer = torch.optim.Adam(teacher.parameters(), lr=2e-3)
batches = train_teacher.labelled_batches(train, torch.Generator().manual_seed(lesson.seed), "cpu")  # its data, once
for step in training.fit(teacher, batches, optimizer):
    if step.i == 149:
        break
lesson.band("teacher, unseen pictures", lab.accuracy(teacher, test), "%", look_at="whether it took 150 steps")

# %% [markdown]
# ## The trap in its last layer
#
# Many networks end in a softmax. A teacher must not: what the package takes for logits would be probabilities, and
# their softmax is almost flat. With a certain answer, one 1 and $K-1$ zeros,
#
# $$\max_k p_k = \frac{e}{e + K - 1}, \qquad L_{OH} \ge \ln\!\left(1 + \frac{K-1}{e}\right).$$
#
# *Predict before you run: how sure can such a teacher of ten classes seem at most?*

# %% tags=["prediction-2"]
lesson.predict(2, ...)  # type your guess in quotes, in place of the dots

# %%
for classes in (4, 10):
    answer = torch.eye(classes, dtype=torch.float64)[:1]  # a softmax that is perfectly sure
    by_hand = np.log(1 + (classes - 1) / np.e)
    print(f"{classes:2} classes: certainty at most {answer.softmax(1).max():.4f}, ", end="")
    print(f"one-hot loss at least {lab.one_hot(answer):.4f}, by hand {by_hand:.4f} nats")

# %% [markdown]
# Nothing would stop with an error: the generator would chase a certainty that cannot be had, and the student would
# learn ten nearly equal numbers.
#
# ### Exercise 1: a network that can teach
#
# Write a function that makes a network of your own for 28 x 28 grey images and ten classes, without BatchNorm. Its
# first weights will do. This is also what the command line calls when you say `--teacher my_module:make`.


# %% tags=["exercise-1"]
def make():
    """A network (N, 1, 28, 28) -> logits (N, 10), without BatchNorm."""
    ...


lesson[1].check(make)
# lesson[1].hint()      # three hints, one after the other
# lesson[1].example()   # the inputs of the check, and what should come out
# lesson[1].solution()  # one answer

# %% [markdown]
# ## Distilled
#
# The rest is notebook 08 with other numbers: no digit, no LeNet-5, four classes instead of ten. The folder is not
# touched from here on, except to test.
#
# *Predict before you run: with 200 steps for the generator and 400 for the student, will the student beat guessing (25
# %) clearly? Will you recognise the outlines that it learned from?*

# %% tags=["prediction-3"]
lesson.predict(3, ...)  # type your guess in quotes, in place of the dots

# %%
settings = replace(lab.PRESETS["classroom"], generator_steps=200, student_steps=400)
run = lab.Distillation(teacher, student, lab.rdskd(), settings, seed=lesson.seed, channels=1, size=28)
pictures = [run.picture()]
for step in run.synthesise():
    if step.i + 1 in (50, 200):
        pictures.append(run.picture())
for step in run.distill():
    pass
lesson.band("student, unseen pictures", lab.accuracy(student, test), "%", look_at="the teacher's first")

# %%
charts.samples(pictures, train.classes)

# %% [markdown]
# From the command line, with a `make` for your own classes in `my_module.py` beside you and weights saved by
# `lab.save_weights(net, "mine.safetensors")`:
#
#     rdskd-lab distill --teacher my_module:make --weights mine.safetensors --student my_module:make_small \
#         --data FOLDER --channels 1 --size 28 --classes 4 --mean 0.1 --std 0.25 --out runs/mine
#
# ## Colour, and a GPU
#
# SVHN and CIFAR-10 come with networks of their kind (wide and plain ResNets), trained and distilled by
#
#     rdskd-lab train-teacher --network wrn-40-2 --data svhn --out svhn.safetensors
#     rdskd-lab distill --teacher wrn-40-2 --weights svhn.safetensors --data svhn --preset paper-svhn --out runs/svhn
#     rdskd-lab train-teacher --network resnet34 --data cifar10 --out cifar10.safetensors
#     rdskd-lab distill --teacher resnet34 --weights cifar10.safetensors --data cifar10 --preset paper-cifar10 --out runs/cifar10
#
# Each picks a GPU if there is one. **Built, not run** for this course: a step of each was tried, the schedules were
# not. By a count of multiplications two CPU cores would need days for SVHN and weeks for CIFAR-10.
#
# ## Limits
#
# * **The teacher counts for more than its accuracy.** Two LeNet-5 teachers, the same recipe, one seed each
#   (`results/NOTES.md`): trained on plain digits it reads 99.2 % and its student 97.5 %; trained on turned and shifted
#   ones it reads 99.5 % and its student **59.2 %**. Both generators pleased their teachers alike. Why was not studied.
# * Settings were tuned for LeNet-5 on digits. For your network they are first guesses; look at the pictures and at the
#   pool's classes first.
# * Whether the student is any good, only real test data can say. Without them you can measure how far it agrees with
#   the teacher on painted images, which is not the same.
#
# ## What it says about privacy
#
# "The data are gone" sounds safe. Two things can be asked of a teacher that is given away. *Can its skill be taken
# without its data?* Yes: that is what this course does. *Do its images come back?* Here that can be measured: take the
# painted images that the student learned from, and for each the picture nearest to it (largest cosine), among pictures
# that the teacher was trained on and among as many that it never saw. If it had remembered pictures, the first would be
# nearer.
#
# *Predict before you run: are painted images nearer to the training pictures?*


# %% tags=["prediction-4"]
lesson.predict(4, ...)  # type your guess in quotes, in place of the dots


# %%
def nearest(images, others):
    """For each image the largest cosine with one of the others, each less its mean: (N,)."""
    centred = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (images, others))
    a, b = (nn.functional.normalize(x) for x in centred)
    return (a @ b.T).max(1).values


painted = run.pool.images[-2000:].float()  # the last that the generator painted
seen, unseen = train.normalise(train.images[::2]), test.normalise(test.images)  # 400 each, 100 of each class
lesson.band("nearest training picture", nearest(painted, seen).mean(), "", 2, look_at="whether 2000 were painted")
lesson.band("nearest unseen picture", nearest(painted, unseen).mean(), "", 2, look_at="whether 2000 were painted")
print(f"for comparison, an unseen picture and its nearest training picture: {nearest(unseen, seen).mean():.2f}")

# %% [markdown]
# Hardly any difference, and both far below what two outlines reach: what was painted are patterns that the teacher
# answers, not pictures that it saw. But look closely: the training pictures were the nearer ones in nine of ten seeds,
# by 0.001 to 0.008. Is that a trace of memory? Then it should turn round when the teacher learns from the other set.
# Tried in five seeds, 400 pictures each time: first set less second 0.002 ± 0.003 for a teacher of the first set,
# 0.001 ± 0.004 for one of the second (mean ± standard deviation). It does not turn, so no memory was found. This is one
# small teacher with 800 simple pictures, and one measure. It does not show that a model gives nothing away: others have
# drawn recognisable faces out of face recognisers by model inversion (Fredrikson and others, 2015), and where a class
# *is* one person, the class is the secret. Whoever gives a model away should think of it as of a summary of its data.
# Whoever takes one should ask whether its licence allows a copy of its skill.
#
# ## What is never opened, and what may run
#
# A *pickle*, the usual inside of a `.pt` file, is a little program: opening it can do anything. The package reads
# only numbers and names: *safetensors*, or a state dict whose pickle does nothing else. *Predict before you run: the file below asks whoever opens
# it to make a file called "harmed". Is it there afterwards?*


# %% tags=["prediction-5"]
lesson.predict(5, ...)  # type your guess in quotes, in place of the dots


# %%
class Harm:
    """When unpickled, this makes a file."""

    def __reduce__(self):
        return Path.touch, (folder / "harmed",)


(folder / "gift.pt").write_bytes(pickle.dumps({"weight": Harm()}))
try:
    lab.load_weights(teacher, folder / "gift.pt")
except lab.networks.weights.WeightsError as refused:
    print(str(refused).replace(str(folder), "FOLDER").split(";")[0] + ": refused.")
print("harmed:", (folder / "harmed").exists())

# %% [markdown]
# A teacher's *code* is another matter. `--teacher my_module:make` imports that module and runs it with all your rights,
# and every forward pass runs it again; nothing can be checked beforehand. Name only code that you would run anyway.
# Weights alone, without a foreign module, run nothing.
#
# ## What to remember
#
# * Any network whose `forward` gives logits can teach; no softmax at its end; know the mean and spread of its pixels.
# * A student's accuracy depends on the teacher in ways that the teacher's accuracy does not show.
# * A model that is given away can be copied without its data. That its images do not come back was seen here and is no
#   law.
# * Weights are data, pickles and modules are programs.
#
# ## The paper, the code, and what we measured
#
# * **Paper and released code**: MNIST, SVHN and CIFAR-10 with LeNet-5, wide and plain ResNets; weights are kept as
#   pickled modules there. No accuracy of the paper is known to us.
# * **Measured here**: four drawn classes, a network of 800 pictures, a student in 600 steps in all; ranges of ten seeds
#   stand above. The two teachers under "Limits" are one seed each.
# * **Not run**: the colour schedules.
#
# ## New words
#
# | word | meaning |
# |---|---|
# | factory | a function without arguments that makes a network |
# | safetensors | a file of named arrays and nothing else |
# | pickle | Python's own file format, which can run code when it is opened |
# | privacy leak | something about single training examples that a model gives away |

# %% tags=["hand-in"]
lesson.hand_in()  # what you have done so far; in a class, remove the # from one of these lines and run the cell:
# lesson.hand_in("hand-in")                       # writes it into one small file, without your name
# lesson.hand_in("hand-in", name="Ada Lovelace")  # the same, with your name
