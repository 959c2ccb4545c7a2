"""Time what the check of both networks costs a run: `python benchmarks/what_people_bring/check_times.py`.

The median of five, in one process and one thread: by the clock, and of the process's own time, which other programs on
a busy machine do not lengthen.  Writes results/what_people_bring_times.csv, which run.py puts on its page.
"""

import csv
import statistics
import time
import warnings
from pathlib import Path

import torch
import torchvision

from rdskd_lab import LeNet5, LeNet5Half, load_weights
from rdskd_lab.methods.checks import check_networks
from rdskd_lab.networks.registry import Shape, make_student

TIMES = Path(__file__).resolve().parents[2] / "results/what_people_bring_times.csv"
PAIRS = {  # what is checked -> teacher and student, channels, size, seconds that it may cost
    "the shipped LeNet-5 and LeNet-5-Half, 32 px": (
        lambda: (load_weights(LeNet5(), "lenet5"), LeNet5Half()),
        1,
        32,
        0.2,
    ),
    "ResNet-18 and WRN-16-1, 224 px": (
        lambda: (torchvision.models.resnet18(num_classes=10), make_student("wrn-16-1", Shape(3, 224, 10))),
        3,
        224,
        3.0,
    ),
}


def measure(make, channels: int, size: int) -> tuple[float, float]:
    """Median seconds of five checks, each of new networks: by the clock, and of the process."""
    found = []
    for _ in range(5):
        teacher, student = make()
        began, used = time.perf_counter(), time.process_time()
        check_networks(teacher, student, channels, size, "cpu", 64)
        found.append((time.perf_counter() - began, time.process_time() - used))
    return tuple(map(statistics.median, zip(*found, strict=True)))


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with open(TIMES, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["networks", "clock", "process", "reach"])
        for name, (make, channels, size, reach) in PAIRS.items():
            row = [name, *(f"{seconds:.3f}" for seconds in measure(make, channels, size)), reach]
            table.writerow(row)
            print(*row)


if __name__ == "__main__":
    main()
