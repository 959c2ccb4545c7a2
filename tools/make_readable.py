"""Make the lab's readable example: RDSKD with BatchNorm statistics, seed 0, its generator after 600 steps, in float16.

python tools/make_readable.py            writes rdskd_lab/assets/readable.safetensors, in a minute or two
"""

from itertools import islice

import torch
from safetensors.torch import save_file

from rdskd_lab.datasets.dataset import ASSETS
from rdskd_lab.lab.session.experiment import STARTS, Experiment

if __name__ == "__main__":
    torch.set_num_threads(1)
    experiment = Experiment("rdskd+bn", 0)
    for _ in islice(experiment.steps(), 600):
        pass
    state = experiment.run.generator.state_dict()
    half = {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in state.items()}
    save_file(half, ASSETS / STARTS["readable"], metadata={"network": "Generator"})
