"""What holds for every test: `pytest -m gpu` alone sees a GPU, where there is one; all compute in one thread."""

import os

import pytest
import torch

MAIN = ("00", "01", "04", "08")  # notebooks that `make test` checks; the others are slow


def pytest_configure(config):
    """Hide GPUs from all other tests, which expect the same bits twice from one seed."""
    if config.option.markexpr != "gpu" and not os.environ.get("RDSKD_GPU_IN_SIGHT"):  # as benchmarks/gpu.py has it
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # torch reads it when CUDA is first asked for; children inherit it


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks
def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU and -m gpu"))
        if item.path.suffix == ".ipynb" and not item.path.name.startswith(MAIN):
            item.add_marker("slow")


@pytest.fixture
def double():
    """Compute in float64, in which flat loops are compared."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Compute in one thread: networks of a few hundred numbers lose time with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
