"""Takes stored results that notebooks read into the wheel, since Colab installs the package without results/.

An editable install would get a second, stale rdskd_lab/ for them; there `course/tables.py` finds results/ itself.
"""

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TABLES = ("mnist", "fluctuation", "fluctuation_curves", "diversity", "accuracy", "robustness")


class Tables(BuildHookInterface):
    """Called by hatchling, by pyproject.toml's word."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Name the files and where they go."""
        if version != "editable":
            build_data["force_include"] |= {f"results/{t}.csv": f"rdskd_lab/assets/tables/{t}.csv" for t in TABLES}
