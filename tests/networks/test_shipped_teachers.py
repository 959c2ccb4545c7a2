"""The shipped teacher is the network that its card describes."""

import os
import re
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest
from safetensors import safe_open

from rdskd_lab.datasets import load
from rdskd_lab.evaluation.accuracy import accuracy
from rdskd_lab.networks.architectures import NETWORKS
from rdskd_lab.networks.weights import SHIPPED, load_weights

CARD = (files("rdskd_lab") / "assets" / "README.md").read_text()
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


each = pytest.mark.parametrize("name", SHIPPED)


def card(name):
    return CARD.split(f"## {SHIPPED[name].name}\n")[1].split("\n## ")[0]


@each
def test_the_card_names_the_file_that_is_shipped(name):
    assert re.search(r"sha256 \| (\w{64}) ", card(name))[1] == sha256(SHIPPED[name].read_bytes()).hexdigest()


@each
def test_the_file_says_how_it_was_made(name):
    with safe_open(SHIPPED[name], "pt") as file:
        assert file.metadata()["command"] in card(name)


@each
def test_it_reads_digits_that_it_was_not_trained_on(name):
    assert accuracy(load_weights(NETWORKS[name](), SHIPPED[name]), load("digits", "test")) > 0.98


@each
def test_its_accuracy_on_the_official_test_set_is_that_of_the_card(name):
    root = os.environ.get("RDSKD_DATA") or (BESIDE if BESIDE.is_dir() else None)
    if root is None:
        pytest.skip("MNIST is not here: set RDSKD_DATA to the folder that holds MNIST/raw")
    found = accuracy(load_weights(NETWORKS[name](), SHIPPED[name]), load("mnist", "test", root))
    assert found >= (0.98 if name == "lenet5-half" else 0.99) and f"{found:.2%}".replace("%", " %") in card(name)
