"""Write the Binder and Colab badges into README.md: `make badges`.

The repository's address stands in pyproject.toml, under [tool.rdskd-lab], and nowhere else.  While it is empty there
are no badges, and old ones are taken away.
"""

import re
import tomllib
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- badges: `make badges` writes these lines -->", "<!-- end of badges -->"
BINDER, COLAB = "https://mybinder.org", "https://colab.research.google.com"


def find_repository(pyproject: str) -> str:
    """OWNER/NAME on GitHub as pyproject.toml has it, or "" while nobody has said."""
    address = tomllib.loads(pyproject)["tool"]["rdskd-lab"]["repository"]
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", address)
    if address and not match:
        raise SystemExit(
            f"repository = {address!r} in pyproject.toml is no address that Binder and Colab know; "
            'write it as "https://github.com/OWNER/NAME", or leave it empty'
        )
    return match[1] if match else ""


def write_badges(readme: str, repository: str, notebooks: list[str]) -> str:
    """The README with badges below its title: one of Binder, one of Colab per notebook; none without a repository."""
    bare = re.sub(rf"{re.escape(BEGIN)}.*?{re.escape(END)}\n\n", "", readme, flags=re.DOTALL)
    if not repository:
        return bare
    lines = [
        f"[![Open on Binder]({BINDER}/badge_logo.svg)]({BINDER}/v2/gh/{repository}/main?urlpath=lab/tree/notebooks)"
    ]
    lines += [
        f"[![Open {name} on Colab]({COLAB}/assets/colab-badge.svg)]"
        f"({COLAB}/github/{repository}/blob/main/notebooks/{name}.ipynb) {name}"
        for name in notebooks
    ]
    title, rest = bare.split("\n\n", 1)
    return f"{title}\n\n{BEGIN}\n" + "\n".join(lines) + f"\n{END}\n\n{rest}"


if __name__ == "__main__":
    repository = find_repository((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    names = sorted(path.stem for path in (TOP / "notebooks").glob("*.ipynb"))
    readme = TOP / "README.md"
    readme.write_text(write_badges(readme.read_text(encoding="utf-8"), repository, names), encoding="utf-8")
    print(f"Badges for {repository}." if repository else "No badges: pyproject.toml names no repository yet.")
