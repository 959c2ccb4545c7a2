"""The shipped teacher is the network that its card describes."""

import os
import re
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest
from safetensors import safe_open

from rdskd_lab.data import load
from rdskd_lab.metrics import accuracy
from rdskd_lab.models import LeNet5
from rdskd_lab.weights import SHIPPED, load_weights

CARD = (files("rdskd_lab") / "assets" / "README.md").read_text()
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def test_the_card_names_the_file_that_is_shipped():
    assert re.search(r"sha256 \| (\w{64}) ", CARD)[1] == sha256(SHIPPED["lenet5"].read_bytes()).hexdigest()


def test_the_file_says_how_it_was_made():
    with safe_open(SHIPPED["lenet5"], "pt") as file:
        assert file.metadata()["command"] in CARD


def test_it_reads_digits_that_it_was_not_trained_on():
    assert accuracy(load_weights(LeNet5(), SHIPPED["lenet5"]), load("digits", "test")) > 0.98


def test_its_accuracy_on_the_official_test_set_is_that_of_the_card():
    root = os.environ.get("RDSKD_DATA") or (BESIDE if BESIDE.is_dir() else None)
    if root is None:
        pytest.skip("MNIST is not here: set RDSKD_DATA to the folder that holds MNIST/raw")
    found = accuracy(load_weights(LeNet5(), SHIPPED["lenet5"]), load("mnist", "test", root))
    assert found >= 0.99 and f"{found:.2%}".replace("%", " %") in CARD
