"""A small lab, for the tests of all its parts."""

import pytest


@pytest.fixture
def lab():
    """A lab in inline mode: a request is granted before the control's callback returns."""
    from recorded import SMALL

    from rdskd_lab.lab import Lab

    made = Lab(mode="inline", settings=SMALL, steps=5, learn=False)
    yield made
    made.close()
