"""The pictures of the notebooks show the images and the answers that they were given, inside their frame."""

import base64
import io
import re
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
import torch

import rdskd_lab as lab
from rdskd_lab.course import five_boxes, sheet

SVG = "{http://www.w3.org/2000/svg}"


def random(n, channels=1, seed=0):
    return torch.randn(n, channels, 32, 32, generator=torch.Generator().manual_seed(seed))


def read(picture):
    """The SVG file as a page gets it: its elements."""
    ((uri, words),) = picture.pictures()
    assert words == picture.alt_text() and len(words) > 20
    return ElementTree.fromstring(base64.b64decode(uri.partition(",")[2]))


def pixels(element):
    """The image of an <image>, float (S, S, 3 or 4) from 0 to 1."""
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(element.get("href").partition(",")[2])))


def stretched(image):
    """From the darkest to the brightest pixel, in numpy."""
    image = image.double().numpy()
    return (image - image.min()) / (image.max() - image.min())


@pytest.fixture(scope="module")
def teacher():
    return lab.load_weights(lab.LeNet5(), lab.SHIPPED["lenet5"]).eval()


def test_a_sheet_shows_each_image_with_the_teachers_answer_below_it(teacher):
    images = random(12)
    drawn = read(sheet({"one": images, "another\nof two lines": images[:3]}, teacher, columns=5))
    shown = drawn.findall(f"{SVG}image")
    assert len(shown) == 15
    for element, image in zip(shown, [*images, *images[:3]], strict=True):
        assert np.abs(pixels(element)[..., 0] - stretched(image[0])).max() < 0.51 / 255
    with torch.no_grad():
        sure, labels = teacher(images).softmax(1).max(1)
    said = [element.text for element in drawn.findall(f"{SVG}text") if "%" in element.text]
    assert said[:12] == [f"{k}  {p:.0%}" for k, p in zip(labels.tolist(), sure.tolist(), strict=True)]
    places = {(e.get("x"), e.get("y")) for e in shown}
    assert len(places) == 15 and len({e.get("y") for e in shown}) == 4  # 5, 5 and 2 of the first row, 3 of the second


def test_a_sheet_says_in_words_what_the_teacher_sees(teacher):
    images = random(7)
    with torch.no_grad():
        labels = teacher(images).argmax(1)
    words = sheet({"seven": images}, teacher).alt_text()
    assert "seven: 7 images" in words
    for k in labels.unique().tolist():
        assert f"{int((labels == k).sum())} of class {k}" in words
    assert "teacher" not in sheet({"seven": images}).alt_text()


def test_a_sheet_takes_what_a_run_calls_its_picture_and_leaves_the_teacher_alone(teacher):
    run = lab.Distillation(teacher, lab.LeNet5Half(), lab.rdskd(), lab.Settings(width=4))
    picture, before = run.picture(), {name: t.clone() for name, t in teacher.state_dict().items()}
    drawn = read(sheet({"untrained": picture}, most=6))
    said = [element.text for element in drawn.findall(f"{SVG}text") if "%" in element.text]
    assert said == [f"{picture['labels'][i]}  {picture['confidence'][i]:.0%}" for i in range(6)]
    assert all(torch.equal(t, before[name]) for name, t in teacher.state_dict().items())


def test_colour_stays_colour():
    image = random(1, channels=3)
    (shown,) = read(sheet({"colour": image})).findall(f"{SVG}image")
    assert np.abs(pixels(shown)[..., :3] - np.moveaxis(stretched(image[0]), 0, -1)).max() < 0.51 / 255


@pytest.mark.parametrize("draw", [lambda: five_boxes(random(9), random(5)), lambda: sheet({"a": random(3)})])
def test_all_that_is_drawn_lies_inside_the_frame(draw):
    drawn = read(draw())
    left, top, wide, high = map(float, drawn.get("viewBox").split())
    for element in [*drawn.iter(f"{SVG}image"), *drawn.iter(f"{SVG}rect")]:
        x, y, w, h = (float(element.get(key)) for key in ("x", "y", "width", "height"))
        assert left <= x and x + w <= left + wide and top <= y and y + h <= top + high
    for path in drawn.findall(f"{SVG}path"):
        xs, ys = _course(path.get("d"))
        assert left <= min(xs) and max(xs) <= left + wide and top <= min(ys) and max(ys) <= top + high


def test_the_five_boxes_are_named_and_hold_the_images():
    images, real = random(8), random(4, seed=1)
    drawn = read(five_boxes(images, real))
    names = {element.text for element in drawn.findall(f"{SVG}text") if element.get("class") == "h m"}
    assert names == {"generator", "images", "teacher", "losses", "student"}
    shown = drawn.findall(f"{SVG}image")
    for element, image in zip(shown, [*images, *real], strict=True):
        assert np.abs(pixels(element)[..., 0] - stretched(image[0])).max() < 0.51 / 255


def _course(path):
    """All x and y of a path of M, L, H and V."""
    xs, ys = [], []
    for letter, numbers in re.findall(r"([MLHV])([^MLHVz]*)", path):
        found = [float(n) for n in numbers.split()]
        xs += found[::2] if letter in "ML" else found if letter == "H" else []
        ys += found[1::2] if letter in "ML" else found if letter == "V" else []
    return xs, ys
