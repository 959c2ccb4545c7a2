"""A machine that lacks nothing, as the doctor sees it."""

from rdskd_lab.datasets import SETS
from rdskd_lab.doctor.facts import Facts

VERSIONS = {
    "torch": "2.14.1",
    "torchvision": "0.29.1",
    "numpy": "2.4.6",
    "safetensors": "0.6.2",
    "tqdm": "4.70.1",
    "typer": "0.20.0",
    "filelock": "4.2.11",
    "packaging": "26.3",
    "jinja2": "3.1.6",
    "plotly": "7.1.0",
    "matplotlib": "3.11.2",
    "ipywidgets": "8.1.9",
    "anywidget": "0.11.0",
    "jupyterlab": "4.6.6",
    "ipykernel": "7.4.0",
    "jupytext": "1.19.6",
    "jupyterlab_widgets": "3.0.16",
}
WELL = Facts(
    package="0.1.0",
    system="Linux x86_64",
    python="3.12.4",
    front_end="Jupyter",
    mode="task",
    versions=VERSIONS,
    memory=8 * 10**9,
    machine_memory=16 * 10**9,
    cores=2,
    gpu="A GPU",
    gpu_memory=16 * 10**9,
    data={name: name in ("digits", "mnist") for name in SETS},
    disk=50 * 10**9,
    here_writable=True,
    home_writable=True,
    generator_step=0.02,
    student_step=0.01,
)
