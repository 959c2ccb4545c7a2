"""The frame around the package: pins, environments, layout, paths. Needs no network and trains nothing."""

import configparser
import importlib.metadata
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import badges
import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
ALLOWED = set(
    """notebooks rdskd_lab tests benchmarks results tools docs hatch_build.py binder .ci .github pyproject.toml
    constraints.txt Makefile LICENSE CHANGELOG.md README.md environment.yml CONTRIBUTING.md CITATION.cff
    .pre-commit-config.yaml .gitignore .gitattributes""".split()
)


def requirements(*extras):
    """{name: SpecifierSet} of the core dependencies and the extras named."""
    rows = PROJECT["dependencies"] + [row for extra in extras for row in PROJECT["optional-dependencies"][extra]]
    return {canonicalize_name(Requirement(row).name): Requirement(row).specifier for row in rows}


def pins():
    """{name: version} of constraints.txt, which holds nothing but comments and `name==version`."""
    rows = filter(None, (row.split("#")[0].strip() for row in (TOP / "constraints.txt").read_text().splitlines()))
    found = [re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.!]*)", row).groups() for row in rows]
    assert len({canonicalize_name(name) for name, _ in found}) == len(found), "a package is there twice"
    return {canonicalize_name(name): version for name, version in found}


def brought(names):
    """Names that installing `names` brings here, themselves included, as the installed packages tell it."""
    seen, queue = set(), [(canonicalize_name(name), "") for name in names]
    while queue:
        name, extra = queue.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            rows = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for row in map(Requirement, rows):
            if row.marker is None or row.marker.evaluate(default_environment() | {"extra": extra}):
                queue += [(canonicalize_name(row.name), sub) for sub in {"", *row.extras}]
    return {name for name, _ in seen}


def test_pins_meet_the_floors_and_name_every_dependency_and_what_comes_along():
    wanted, pinned = requirements("lab", "dev"), pins()
    assert [name for name, spec in wanted.items() if pinned.get(name) not in spec] == []
    names = brought(wanted)
    assert {"jupyter-server", "scipy", "filelock"} <= names  # the walk does reach what nobody asks for by name
    assert not names - set(pinned)


def test_the_floors_that_were_promised():
    core, lab = requirements(), requirements("lab")
    assert PROJECT["requires-python"] == ">=3.11"
    brought_by_torch = {"filelock", "jinja2", "packaging"}
    assert set(core) - brought_by_torch == {"numpy", "safetensors", "torch", "torchvision", "tqdm", "typer"}
    for name, floor, below in (("torch", "2.6", "2.5.1"), ("ipywidgets", "7.7.1", "7.7"), ("plotly", "5.24", "5.23")):
        assert floor in lab[name] and below not in lab[name]
    assert "7.0.1" not in lab["ipykernel"]


# ---- conda and Binder ----------------------------------------------------------------------------------------------

CONDA = {"pytorch": "torch", "pytorch-cpu": "torch"}  # conda-forge's names
VERSIONS = [f"{major}.{minor}.{patch}" for major in range(30) for minor in range(60) for patch in (0, 1, 2)]


def conda(path):
    """{pip's name: SpecifierSet} of the conda lines of an environment file, and the lines under `pip:`."""
    named, under_pip = {}, []
    for row in yaml.safe_load((TOP / path).read_text())["dependencies"]:
        if isinstance(row, dict):
            under_pip = row["pip"]
            continue
        name, spec = re.fullmatch(r"([a-z0-9_-]+)(.*)", row).groups()
        spec = f"=={spec[1:]}.*" if re.match(r"=\d", spec) else spec  # conda's `=3.12` means any 3.12
        named[CONDA.get(name, name)] = SpecifierSet(spec)
    return named, under_pip


def test_conda_environments_ask_for_what_pyproject_asks_for():
    asked = requirements("lab", "dev")
    (wide, pip), (narrow, none) = conda("environment.yml"), conda("binder/environment.yml")
    assert set(wide) == set(narrow) == set(requirements("lab")) | {"python", "pip", "nbval"}
    assert pip == ["-e ."] and none == []  # binder/postBuild installs the package
    assert [name for name in wide if name in asked and wide[name] != asked[name]] == []
    assert all(version in SpecifierSet(PROJECT["requires-python"]) for version in VERSIONS if version in wide["python"])
    assert {name for name in wide if narrow[name] != wide[name]} == {"python", "ipywidgets", "ipykernel"}
    for name in "python", "ipywidgets", "ipykernel":  # which Binder asks for otherwise, and more narrowly
        found = [version for version in VERSIONS if version in narrow[name]]
        assert found and all(version in wide[name] for version in found), name


# ---- layout and paths ----------------------------------------------------------------------------------------------


def files():
    """What git tracks; before the first commit, what it would. Skips where the source is no git checkout."""

    def git(*args):
        return subprocess.run(["git", "-C", TOP, "ls-files", "-z", *args], capture_output=True, text=True, check=True)

    try:
        listed = git().stdout or git("--others", "--exclude-standard").stdout
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a git checkout, so nothing says which files are ours: {error}")
    return [path for path in map(Path, filter(None, listed.split("\0"))) if (TOP / path).is_file()]


def machine_paths(content, top=TOP, home=None):
    """Which paths of this or somebody's machine the bytes name."""
    home = home or Path.home()
    everyday = {Path("/"), Path(tempfile.gettempdir()), *home.parents}  # a clone may lie right in one of these
    folders = {folder for folder in (top, top.parent, home) if folder not in everyday}
    named = {str(folder) + "/" for folder in folders if (str(folder) + "/").encode() in content}
    return named | {m.decode() for m in re.findall(rb"(?:/home|/Users|C:\\{1,2}Users)[/\\]+\w+[/\\]", content)}


def test_top_level_holds_only_what_belongs_there():
    top = {path.parts[0] for path in files()}
    assert {"pyproject.toml", "rdskd_lab", "tests"} <= top
    assert not top - ALLOWED


def test_no_file_names_a_machine_path():
    named = {str(path): machine_paths((TOP / path).read_bytes()) for path in files()}
    assert not {path: found for path, found in named.items() if found}


def test_machine_paths_are_recognised():
    top, home = Path("/srv/lent/clone"), Path("/people/ada")
    seen = {b"see /srv/lent/data", b'"/srv/lent/clone/rdskd_lab"', b"/people/ada/x", b"/ho" + b"me/ada/x"}
    assert all(machine_paths(content, top, home) for content in seen)
    assert not machine_paths(b"~/.cache, /usr/bin/env, ../shared/data, /tmp/x, /srv/lentil", top, home)
    assert not machine_paths(b"/people/bob/x", Path("/people/clone"), home)  # cloned beside the homes


def test_scripts_can_be_run():
    for path in (".ci/run", ".ci/env", "binder/postBuild"):
        assert (TOP / path).stat().st_mode & 0o100, f"{path} is not executable"
        shell = "bash" if "bash" in (TOP / path).read_text().splitlines()[0] else "sh"
        subprocess.run([shell, "-n", TOP / path], check=True)


# ---- those who take part --------------------------------------------------------------------------------------------


def test_hooks_run_from_our_own_environment_and_fetch_nothing():
    repositories = yaml.safe_load((TOP / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        assert hook["language"] == "system" and hook["entry"].startswith(".venv/bin/python -m "), hook["id"]


def test_the_workflow_is_what_ci_runs_and_no_more():
    jobs = yaml.safe_load((TOP / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert steps[-1] == ".ci/run" and all(step.startswith("git config") for step in steps[:-1])


def test_issue_forms_ask_what_the_doctor_says():
    forms = list((TOP / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) >= 2
    for form in forms:
        asked = {part["id"]: part for part in yaml.safe_load(form.read_text())["body"]}
        assert "rdskd-lab doctor --json" in asked["doctor"]["attributes"]["description"], form.name
    bug = yaml.safe_load((TOP / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text())["body"]
    assert next(part for part in bug if part["id"] == "doctor")["validations"]["required"]


def test_the_citation_names_this_version_and_the_paper():
    cite = yaml.safe_load((TOP / "CITATION.cff").read_text())
    assert (cite["version"], cite["license"]) == (PROJECT["version"], PROJECT["license"])
    assert [entry["value"] for entry in cite["preferred-citation"]["identifiers"]] == ["arXiv:2011.03749"]


PAGES = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_only_files_and_targets_that_exist(page):
    text = page.read_text()
    for target in re.findall(r"(?:^ {4}|`)make ([a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:.*## ", (TOP / "Makefile").read_text(), re.MULTILINE), target
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / link).exists(), link
    if page.name != "finding-your-way.md":  # it names the files of the old layout too
        for name in re.findall(r"`([\w/]+\.(?:py|yml|toml|txt))`", text):
            found = [*TOP.glob(name), *TOP.glob(f"rdskd_lab/**/{name}"), *TOP.glob(f"tests/**/{name}")]
            assert found or name == "utils.py" or "NAME" in name or "NN_name" in name, name


def test_the_readme_is_short_and_names_the_command_of_ci():
    text = (TOP / "README.md").read_text()
    assert len(badges.write_badges(text, "", []).split()) <= 900
    assert "`make test`" in text and "make test" in (TOP / ".ci" / "run").read_text()


def test_tables_that_extending_names_exist():
    code = "\n".join((TOP / path).read_text() for path in files() if path.suffix == ".py")
    tables = set(re.findall(r"`([A-Z][A-Z_]{3,})`", (TOP / "docs" / "extending.md").read_text())) - {"NAME"}
    assert tables and not {name for name in tables if not re.search(rf"^{name}\b.* = ", code, re.MULTILINE)}


def test_while_no_repository_is_named_there_are_no_badges_and_no_invented_address():
    readme = (TOP / "README.md").read_text()
    repository = badges.find_repository((TOP / "pyproject.toml").read_text())
    names = sorted(path.stem for path in (TOP / "notebooks").glob("*.ipynb"))
    assert badges.write_badges(readme, repository, names) == readme  # `make badges` was run after the last change
    assert repository or ("badge" not in readme and "github.com" not in readme)


def test_badges_come_and_go_with_an_address_of_github():
    text, bare = '[tool.rdskd-lab]\nrepository = "https://{}/ada/lab{}"', "# Title\n\nText.\n"
    for end in "", "/", ".git":
        assert badges.find_repository(text.format("github.com", end)) == "ada/lab"
    with pytest.raises(SystemExit, match="example.org"):
        badges.find_repository(text.format("example.org", ""))
    once = badges.write_badges(bare, "ada/lab", ["00_start", "08_rdskd"])
    assert badges.write_badges(once, "ada/lab", ["00_start", "08_rdskd"]) == once
    assert badges.write_badges(once, "", []) == bare
    assert once.startswith("# Title\n\n<!--") and once.endswith("\n\nText.\n")
    assert once.count("/github/ada/lab/blob/main/notebooks/") == 2 and once.count("/v2/gh/ada/lab/main") == 1


# ---- notebooks -----------------------------------------------------------------------------------------------------


def test_only_three_phrases_and_pictures_are_left_out_when_notebooks_are_compared():
    config = configparser.ConfigParser()
    config.read(TOP / "tests" / "nbval_sanitize.cfg")
    assert len(config.sections()) == 4

    def clean(text):
        for section in config.sections():
            text = re.sub(config[section]["regex"], config[section]["replace"], text)
        return text

    one = "accuracy: yours 71.3 %, typical 66-75 %\nall: yours 0.91\nabout 40 s here, 10 classes. Device: cpu."
    two = "accuracy: yours 9 %, typical 66-75 %\nall: yours 1e-3\nabout 2.5 min here, 10 classes. Device: cuda."
    assert clean(one) == clean(two)
    for other in (one.replace("66-75", "60-75"), one.replace("10 classes", "9 classes"), one.replace("yours", "ours")):
        assert clean(one) != clean(other)


def test_binder_builds_what_the_folder_binder_says_by_repo2dockers_own_account():
    pytest.importorskip("repo2docker")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(TOP)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Building conda environment for python=3.12" in done.stderr
    recipe = done.stdout
    steps = [
        '--file "binder/environment.yml"',
        "COPY --chown=0:0 src/ ${REPO_DIR}/",
        "chmod +x binder/postBuild",
        "RUN ./binder/post",
    ]
    assert [recipe.count(step) for step in steps] == [1] * len(steps)
    assert sorted(steps, key=recipe.index) == steps
    assert '--file "environment.yml"' not in recipe and "requirements.txt" not in recipe.replace("#", "")
