"""What the lab costs: steps a second of a bare loop that also trains the student, of the lab, and of lab and twin.

    python benchmarks/lab_speed.py [ROUNDS] [STEPS]    the three take turns, 150 steps each; median over rounds

Seconds of this process's CPU time, in one thread: other programs on the machine make them longer, but hardly change
their ratio.  The lab plays in inline mode, where it draws as often as it does in a page, but sends nothing to one.
"""

import statistics
import sys
from itertools import islice
from time import perf_counter, process_time

import torch

from rdskd_lab.distillation import find_device
from rdskd_lab.lab import Lab
from rdskd_lab.lab.session.experiment import Experiment
from rdskd_lab.lab.session.record import STUDENT, Edit
from rdskd_lab.lab.session.trace import PROBE_EVERY
from rdskd_lab.lab.widgets.cell_output import CellOutput

STEPS = 150  # a play begins and ends with a drawing that must be made: few of them


def took(play) -> tuple[float, float]:
    cpu, wall = process_time(), perf_counter()
    play()
    return process_time() - cpu, perf_counter() - wall


def main(rounds: int = 5, steps: int = STEPS) -> None:
    torch.set_num_threads(1)
    bare = Experiment(device=find_device())  # as the lab finds one
    bare.change(Edit(0, STUDENT, "learns", True))
    loop = bare.steps()
    labs = {"lab": Lab(mode="inline"), "lab and twin": None}
    CellOutput._shown.clear()  # a second lab in one script would close the first
    labs["lab and twin"] = Lab(mode="inline")
    labs["lab and twin"].compare()
    measure = [took(bare.measure) for _ in range(20)]
    plays = {"bare loop": lambda: list(islice(loop, steps))} | {n: lambda m=m: m.play(steps) for n, m in labs.items()}
    seconds = {name: [] for name in plays}
    for play in plays.values():
        play()  # warms up
    for _ in range(rounds):
        for name, play in plays.items():
            seconds[name].append(took(play))
    cpu = {name: statistics.median(c for c, _ in both) / steps for name, both in seconds.items()}
    probe = statistics.median(c for c, _ in measure) / PROBE_EVERY
    print(f"probe: {probe * 1e3:.2f} ms a step, {probe / cpu['bare loop']:.1%} of the bare loop's step")
    walls = {name: statistics.median(w for _, w in both) / steps for name, both in seconds.items()}
    for name, wall in walls.items():
        share, clock = cpu["bare loop"] / cpu[name], walls["bare loop"] / wall
        print(
            f"{name}: {cpu[name] * 1e3:.1f} ms CPU, {wall * 1e3:.1f} ms on the clock a step; speed {share:.0%} of bare "
            f"by CPU, {clock:.0%} by the clock (on {bare.run.device.type})"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
