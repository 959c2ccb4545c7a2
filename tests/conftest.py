"""What holds for every test: `pytest -m gpu` alone sees a GPU, where there is one; all compute in one thread."""

import os

import pytest
import torch


def pytest_configure(config):
    """The others expect the same bits twice from one seed, which a GPU does not give."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # torch reads it when CUDA is first asked for; children inherit it


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU and -m gpu"))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Networks of a few hundred numbers lose time with more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
