"""What tests of studies share: a trial of a few steps."""

from rdskd_lab.runs.config import Config
from rdskd_lab.studies.engine import Trial
from rdskd_lab.studies.students import train_student

TINY = (("generator_steps", "4"), ("student_steps", "6"), ("width", "4"), ("student_batch_size", "8"))


def tiny(seed=0, measure=train_student, change=(), point="default", kind="", arm="", **config):
    """A trial that takes a fraction of a second."""
    return Trial(Config(seed=seed, device="cpu", change=TINY + change, **config), measure, point, kind, arm)
