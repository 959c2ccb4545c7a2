"""Break the package on purpose, one change at a time, and see whether a test notices.

    python benchmarks/mutations.py                # all, into results/mutations.csv; an hour or two
    python benchmarks/mutations.py --list         # which of them still apply
    python benchmarks/mutations.py "ie: sign"     # those whose names begin so

Each change is made to one definition, wherever in the package that stands, and to its code as `ast.unparse` writes it:
so neither the layout of the code nor its comments matter.  A change whose text is not there any more "no longer
applies" and has to be written anew.  The tests of that area, those marked slow left out, run in a copy of the working
tree; they have to pass there before anything is changed.
"""

import argparse
import ast
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
TABLE = TOP / "results" / "mutations.csv"
LIMIT = 900  # seconds for the tests of one area
AREAS = {  # the file that a definition stands in -> its tests
    "losses": "tests/test_losses.py tests/methods/test_methods.py",
    "answers": "tests/test_batch.py tests/networks",
    "batch": "tests/test_batch.py tests/test_training.py",
    "objective": "tests/test_objective.py tests/test_training.py tests/methods/test_methods.py",
    "generator": "tests/test_generator.py",
    "training": "tests/test_training.py tests/test_objective.py tests/test_distillation.py",
    "torch_state": "tests/test_training.py tests/test_batch.py",
    "distillation": "tests/test_distillation.py tests/methods",
    "rdskd": "tests/test_objective.py tests/test_training.py",
    "fast_generator": "tests/test_generator.py",
    "image_pool": "tests/methods/test_image_pool.py",
    "run_folder": "tests/runs/test_runs.py",
    "weights": "tests/networks/test_weights.py",
    "accuracy": "tests/evaluation/test_accuracy.py",
}
METHODS = "tests/methods tests/test_distillation.py"  # of every other file, all of them in methods/


@dataclass(frozen=True)
class Mutation:
    """One change: its name, the definition in which it is made, and the pairs (text there, text instead)."""

    name: str
    where: str  # a qualified name, "file:" before it where several files have one
    pairs: tuple[tuple[str, str], ...]


def change(name: str, where: str, *texts: str) -> Mutation:
    return Mutation(name, where, tuple(zip(texts[::2], texts[1::2], strict=True)))


ENTROPY = "return (mean * mean.clamp_min(torch.finfo(mean.dtype).tiny).log()).sum()"
QUOTIENT = "return (p2 - p1).norm() / ((x2 - x1).norm() + eps)"
CHECK = "refuse_non_finite(i, phase, objective, raw, gain, numbers[-1], batch)"
STEP = "if tally.total is not None:\n            optimizer.step()"
MUTATIONS = [
    # ---- losses
    change("oh: sign", "one_hot", "return ", "return -"),
    change("oh: sum over the batch", "one_hot", "argmax(1))", "argmax(1), reduction='sum')"),
    change("ie: sign", "information_entropy", "return ", "return -"),
    change("ie: log base 10", "information_entropy", ".log()", ".log10()"),
    change("ie: sum over the batch", "information_entropy", ".mean(0)", ".sum(0)"),
    change("ie: no clamp in the logarithm", "information_entropy", ".clamp_min(torch.finfo(mean.dtype).tiny)", ""),
    change(
        "ie: mean of entropies, not entropy of the mean",
        "information_entropy",
        ENTROPY,
        "return (logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()",
    ),
    change("ds: sign", "diversity_seeking", "return ", "return -"),
    change(
        "ds: per-sample norms, then mean",
        "diversity_seeking",
        QUOTIENT,
        "return ((p2 - p1).norm(dim=1) / ((x2 - x1).flatten(1).norm(dim=1) + eps)).mean()",
    ),
    change("ds: squared norms", "diversity_seeking", QUOTIENT, QUOTIENT.replace(".norm()", ".norm() ** 2")),
    change("ds: answers detached", "diversity_seeking", "(p2 - p1)", "(p2 - p1).detach()"),
    change("ds: images detached", "diversity_seeking", "(x2 - x1)", "(x2 - x1).detach()"),
    change("ds: no eps", "diversity_seeking", " + eps", ""),
    change("ds in pairs: sum over pairs", "diversity_seeking_pairs", ".mean()", ".sum()"),
    change("distillation: sign", "losses:distillation", "return ", "return -"),
    change("distillation: T^2 dropped", "losses:distillation", "temperature ** 2 * ", ""),
    change("distillation: T for T^2", "losses:distillation", "temperature ** 2", "temperature"),
    change("distillation: KL the other way", "losses:distillation", "kl_div(log_s, log_t", "kl_div(log_t, log_s"),
    change("distillation: mean over classes too", "losses:distillation", "'batchmean'", "'mean'"),
    change("distillation: sum over the batch", "losses:distillation", "'batchmean'", "'sum'"),
    change("act: sign", "activation", "return -", "return "),
    change("ms: the other way up", "mode_seeking", "return 1 / (", "return ("),
    change("soft cross-entropy: temperature dropped", "soft_cross_entropy", "logits / temperature", "logits"),
    change("bn: variance left out", "losses:bn_statistics", "(var - rvar).norm() + ", ""),
    change("bn: squared norms", "losses:bn_statistics", "(mean - rmean).norm()", "(mean - rmean).norm() ** 2"),
    change("tv: diagonals left out", "total_variation", "(*pairs, (x[..., :-1, :-1], x[..., 1:, 1:]))", "pairs[:2]"),
    change("competition: not 1 minus", "competition", "return 1 - ", "return "),
    change("competition: the usual direction", "competition", "m * (m / p)", "p * (p / m)", "m * (m / q)", "q * (q / m)"),
    change("difference: squared", "difference", ".abs()", ".square()"),
    change("halves: pairs of neighbours", "halves", "x.chunk(2)", "(x[::2], x[1::2])"),
    # ---- batch
    change("probs: softmax over the batch", "Batch.probs", "softmax(1)", "softmax(0)"),
    change("batch: detach keeps the graph", "Batch.detach", "self.map(Tensor.detach)", "self"),
    change("batch: bn left as it is", "Batch.map", "change(t) for t in layer", "t for t in layer"),
    change("bn: unbiased variance", "batch:read", "unbiased=False", "unbiased=True"),
    change("bn: mean over the wrong axes", "batch:read", "transpose(0, 1).flatten(1)", "flatten(1).T"),
    change("features: of the layer's output", "batch:read",
           "register_forward_pre_hook(lambda m, args: entered.append((m, args[0])))",
           "register_forward_hook(lambda m, _, out: entered.append((m, out)))"),
    change("features: of the first layer with as many answers", "entering_head", "layers[-1]", "layers[0]"),
    change("features: hooks stay", "batch:read", "hook.remove()", "pass"),
    change("student: gradients reach it", "batch:watch", "p.detach()", "p"),
    change("student: its statistics move", "batch:watch", "b.clone()", "b"),
    change("student: always in eval mode", "batch:watch", "train_mode(student, training)", "train_mode(student, False)"),
    change("head: the first linear layer", "find_head", "linear[-1]", "linear[0]"),
    # ---- objective
    change("anchor: epoch at=0", "epoch", "at: int=1", "at: int=0"),
    change("anchor: epoch at=2", "epoch", "at: int=1", "at: int=2"),
    change("anchor: epoch every=119", "epoch", "every: int=120", "every: int=119"),
    change("anchor: previous instead of epoch", "Term", "float] = epoch", "float] = previous"),
    change("anchor: starts at 1.0", "Term", "anchor: float = 0.0", "anchor: float = 1.0"),
    change("anchor: average starts at the old anchor", "average", "return raw if i == 0 else ", "return "),
    change("anchor: average forgets the other way", "average", "keep * anchor + (1 - keep) * raw",
           "keep * raw + (1 - keep) * anchor"),
    change("anchor: one step early", "reanchoring", "step.i, ", "step.i + 1, "),
    change("anchor: moved after the yield, not before", "reanchoring",
           "objective.re_anchor(step.i, step.raw)\n        yield step",
           "yield step\n        objective.re_anchor(step.i, step.raw)"),
    change("anchor: a value that is not finite moves it", "Objective.re_anchor", "math.isfinite(raw[name])", "True"),
    change("anchor: gradient flows through it", "Term._rise", "loss - self.start(loss.detach())",
           "loss - self.start(loss.detach()) * loss / loss.detach()"),
    change("record: raw values keep their graph", "Objective.__call__", "loss.detach() for", "loss for"),
    change("record: images keep their graph", "descend", "batch.detach()", "batch"),
    change("damping: weight inside the exponent", "Term.asked", "self.weight * rise.exp()", "(self.weight * rise).exp()"),
    change("damping: exp of the loss alone", "Term.asked", "rise.exp()", "loss.exp()"),
    change("damping: gain of the loss alone", "Term.gain", "self._rise(loss)[1].exp()", "loss.exp()"),
    change("strength: not divided by", "Term.asked", "self.weight / self.strength", "self.weight"),
    change("strength: the gradient ends where the gain is clamped", "Term.asked", "(1 + rise - held)", "1"),
    change("strength: gains are not clamped", "Term._rise", ".clamp(-CLAMP, CLAMP)", ""),
    change("strength: 1 is clamped too", "Term._rise", "if self.strength == 1:", "if False:"),
    change("strength: the first anchor is 0", "Term.start", "self.strength == 1 or self.anchor", "True"),
    change("strength: the released code starts at its first loss", "Term.start", "self.strength == 1 or self.anchor",
           "self.anchor"),
    change("strength: 0 is not plain", "Term.asked", " and self.strength)", ")"),
    change("save: strengths", "Distillation.state", "'strength', ", ""),
    change("damping: oh undamped", "rdskd:rdskd", "b.logits), damped=True", "b.logits)"),
    change("damping: ds damped", "rdskd:rdskd", "b.probs)", "b.probs), damped=True"),
    change("ds: logits for probabilities", "rdskd:rdskd", "b.probs", "b.logits"),
    change("terms: one that is off still pulls", "Objective.__call__", " if term.on]", "]"),
    change("terms: one that is off still builds a graph", "Objective.__call__", "term.on and ", ""),
    change("terms: gain of one that is off", "Term.gain", "float(self.on)", "1.0"),
    change("terms: a weight of 0 still asks", "Objective.asks", "term.on and term.weight", "term.on"),
    change("loop: total is the mean of the terms", "Objective.__call__", "sum(asked) if", "sum(asked) / len(asked) if"),
    change("weights: a preset's are ignored", "Objective.weigh", "self[name].weight = weight", "pass"),
    change("weights: one set by hand is lost", "Objective.weigh", "table is None or ", "True or "),
    # ---- training
    change("teacher: left in train mode", "frozen", "training=False", "training=True"),
    change("teacher: not put back into its mode", "train_mode", "m.training = training", "pass"),
    change("teacher: gradients kept", "frozen", "requires_grad_(False)", "requires_grad_(True)"),
    change("teacher: parameters stay frozen", "frozen", "requires_grad_(True)", "requires_grad_(False)"),
    change("buffers: not put back", "buffers_kept", "buffer.copy_(value)", "pass"),
    change("generator: in train mode for the student stage", "generated_batches", "frozen(source)", "train_mode(source, True)"),
    change("generator: in eval mode while it learns", "training:synthesise", "training=True", "training=False"),
    change("student: in eval mode while it learns", "learn", "training=True", "training=False"),
    change("buffers: not restored when all terms are off", "training:synthesise", "buffers_kept(source)", "nullcontext()"),
    change("buffers: restored always", "training:synthesise", "nullcontext() if objective.asks else ", ""),
    change("loop: gradients add up", "descend", "optimizer.zero_grad()", "pass"),
    change("guard: value", "refuse_non_finite", "('value', raw), ('gain', gain)", "('gain', gain),"),
    change("guard: gain", "refuse_non_finite", "('value', raw), ('gain', gain)", "('value', raw),"),
    change("guard: gradient", "refuse_non_finite", "not math.isfinite(norm)", "False"),
    change("guard: after the optimiser's step", "descend", f"{CHECK}\n        {STEP}", f"{STEP}\n        {CHECK}"),
    change("guard: stops for a term that is off", "refuse_non_finite", "objective[name].on and ", ""),
    change("guard: blames any term", "blame", "not _finite_gradient(term, leaves)", "True"),
    change("cosine: one step late", "cosine", "step.i + 1", "step.i"),
    change("cosine: counted from a resume on", "cosine", "for step in steps", "for n, step in enumerate(steps)",
           "step.i + 1", "n + 1"),
    change("cosine: rises after its end", "cosine", "min(step.i + 1, total)", "(step.i + 1)"),
    change("temperature: ignored by the student", "imitation", "b.logits, temperature)", "b.logits)"),
    # ---- generator
    change("lean: a wrong tap", "UpsampledConv2d", "[1, 1, 0]", "[1, 0, 0]"),
    change("lean: kernel not flipped", "UpsampledConv2d", ".flip(2, 3)", ""),
    change("lean: no bias", "UpsampledConv2d", "self.bias", "None"),
    change("generator: eps of torch", "Generator", ", eps=0.8", ""),
    change("generator: ReLU for LeakyReLU", "Generator", "LeakyReLU(0.2)", "ReLU()"),
    change("generator: last BatchNorm learns", "Generator", "affine=False", "affine=True"),
    change("latents: uniform", "Generator.latents", "torch.randn(", "torch.rand("),
    change("latents: another generator than the given one", "Generator.latents", "generator=rng", "generator=None"),
    # ---- pool
    change("pool: warped without asking the teacher anew", "answered", "images, logits = (images.clone(), [])",
           "images, before, logits = (images.clone(), images, [])",
           "read(teacher, Batch(images[part].float()))", "read(teacher, Batch(before[part].float()))"),
    change("pool: answered anew, not warped", "answered", "change(images[part].float(), rng)", "images[part].float()"),
    change("pool: reuse ignored", "rounds", "range(reuse)", "range(1)"),
    change("pool: every round alike", "rounds", "1000003 * seed + i", "1000003 * seed"),
    change("pool: every seed alike", "rounds", "1000003 * seed + i", "i"),
    change("pool: a resume begins the round anew", "rounds", "[start % batches:]", "[0:]"),
    change("pool: a resume begins with round 0", "rounds", "count(start // batches)", "count(0)"),
    change("pool: a full one is overwritten", "Pool.add", "room = slice", "self.filled %= len(self.images)\n    room = slice"),
    change("warp: not scaled by strength", "warp", " * strength", ""),
    change("warp: black comes in at the border", "warp", "'border'", "'zeros'"),
    change("warp: all images alike", "warp", "torch.rand(5, len(images), generator=rng)",
           "torch.rand(5, 1, generator=rng).expand(5, len(images))"),
    # ---- distillation
    change("buffers: a picture moves running statistics", "Distillation.probe_images", "buffers_kept(self.source), ", ""),
    change("save: generator's optimiser", "Distillation._parts", "'generator_optimizer', ", ""),
    change("save: student's optimiser", "Distillation._parts", "'student_optimizer'", "'student'"),
    change("save: memory", "Distillation._parts", ", 'memory'", ""),
    change("save: random state", "Distillation.restore", "self.rng.set_state(state['rng'])", "pass"),
    change("save: anchors", "Distillation.state", ", 'anchor')", ")"),
    change("save: weights of terms", "Distillation.state", "'weight', ", ""),
    change("save: step index", "Distillation.restore", "self.done, self.pool.filled = (dict(state['done']), state['filled'])",
           "self.pool.filled = state['filled']"),
    change("seed: latents of every seed alike", "Distillation.__init__", "manual_seed(seed)", "manual_seed(0)"),
    change("schedule: the student's is ignored", "Distillation.distill", "s.student_schedule in SCHEDULES", "False"),
    change("adapters: a method's are left out", "Distillation.synthesise", "in self.method.adapters", "in ()"),
    change("anchor: damped terms stay damped at none", "use_anchor", "rule != 'none', ANCHORS", "True, ANCHORS"),
    # ---- methods
    change("turns: the source first", "student_first", "repeat('distill', s.student_turn)", "()"),
    change("turns: one step of the student", "by_turns", "s.student_turn", "1"),
    change("live: the student sees the batch before", "remembering", "run.latest = step.batch\n        yield step",
           "yield step\n        run.latest = step.batch"),
    change("steps: a third for a tenth", "stepwise", "0.1 **", "0.3 **"),
    change("steps: one step late", "stepwise", "step.i + 1", "step.i"),
    change("sgd: no momentum", "building_blocks:optimizer", "momentum=0.9", "momentum=0.0"),
    change("sgd: no weight decay", "building_blocks:optimizer", ", weight_decay=0.0005", ""),
    change("dafl: log base 10 forgotten", "dafl:dafl", "5 / math.log(10)", "5.0"),
    change("zskd: temperature 1", "zskd:zskd", "temperature=20.0", "temperature=1.0"),
    change("zskd: beta does nothing", "dirichlet_targets", "beta * ", ""),
    change("deepinversion: weight of R_f", "deepinversion:deepinversion", "bn_term(10.0)", "bn_term(1.0)"),
    change("dfad: sign", "dfad:dfad", "lambda b: -", "lambda b: "),
    change("dfad: student in eval mode", "dfad:dfad", "'student', 'training'", "'student',"),
    change("images: the last instead of the best", "keeping_best", "if total < run.source.lowest:", "if True:"),
    change("images: moments outlive their sheet", "renewing", "run.source_optimizer.state.clear()", "pass"),
    change("images: an alias for a copy", "Pixels.sample", "self.images.clone()", "self.images"),
    # ---- files
    change("save: pool rows not read back", "read_pool", "read = file.readinto(into)", "read, crc = (size, zlib.crc32(into))"),
    change("save: last pool row of each save lost", "Folder.save", "self.pooled:pool.filled]", "self.pooled:pool.filled - 1]"),
    change("save: pool rows written twice", "Folder.save", "self.pooled = pool.filled", "pass"),
    change("save: what grew since is not cut", "Growing.add", "file.truncate(self.size)", "pass",
           "file.seek(self.size)", "file.seek(0, 2)"),
    change("save: pictures", "Folder.restore", "self.seconds, self.pictures = (checkpoint['seconds'], checkpoint['pictures'])",
           "self.seconds = checkpoint['seconds']"),
    change("save: seconds", "Folder.restore", "self.seconds, self.pictures = (checkpoint['seconds'], checkpoint['pictures'])",
           "self.pictures = checkpoint['pictures']"),
    change("save: checksums", "Folder.restore", "file.crc != crc", "False"),
    change("save: of another run", "Folder.restore", "_agree(self.facts, checkpoint['facts'], path)", "pass"),
    change("save: of another format", "check_format", "form != FORMAT", "False"),
    change("write: not atomic", "write_whole", "open(part, 'wb')", "open(path, 'wb')", "os.replace(part, path)", "pass"),
    change("checkpoint: pickles executed", "read_checkpoint", "weights_only=True", "weights_only=False"),
    change("lock: none", "held", "lock.acquire()", "pass"),
    change("weights: a misfit is not named", "load_weights", "not fit.faults", "True"),
    change("weights: not finite", "load_weights", "not tensor.to(own[name].dtype).isfinite().all()", "False"),
    change("accuracy: of a network in train mode", "logits_of", "frozen(net)", "torch.enable_grad()"),
    change("accuracy: confusion the other way", "accuracy:compare", "t * classes + s", "s * classes + t"),
    change("accuracy: agreement with the labels", "accuracy:compare", "(t == s)", "(s == split.labels)"),
]  # fmt: skip


def definitions(package: Path) -> dict[str, list[tuple[Path, ast.AST]]]:
    """Return every function and class of the package by its qualified name, alone and with its file before it."""
    found: dict[str, list] = {}

    def walk(node: ast.AST, path: Path, before: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                name = f"{before}{child.name}"
                for key in (name, f"{path.stem}:{name}"):
                    found.setdefault(key, []).append((path, child))
                if isinstance(child, ast.ClassDef):
                    walk(child, path, f"{name}.")

    for path in sorted(package.rglob("*.py")):
        walk(ast.parse(path.read_text(encoding="utf-8")), path, "")
    return found


def without_docstrings(node: ast.AST) -> ast.AST:
    """Return a copy of a definition of code alone, so that no text is found in its words."""
    bare = deepcopy(node)
    for part in ast.walk(bare):
        if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part) and len(part.body) > 1:
            del part.body[0]
    return bare


def mutate(mutation: Mutation, found: dict) -> tuple[Path, str] | None:
    """Return the file to change and its new text; None where the mutation no longer applies."""
    places = found.get(mutation.where, [])
    if len(places) != 1:
        return None
    path, node = places[0]
    code = ast.unparse(without_docstrings(node))
    for old, new in mutation.pairs:
        if code.count(old) == 0:
            return None
        code = code.replace(old, new, 1)
    lines = path.read_text(encoding="utf-8").splitlines()
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    lines[first - 1 : node.end_lineno] = [" " * node.col_offset + line for line in code.splitlines()]
    text = "\n".join(lines) + "\n"
    ast.parse(text)
    return path, text


def tests_of(path: Path) -> list[str]:
    return AREAS.get(path.stem, METHODS).split()


def test(copy: Path, paths: list[str]) -> tuple[str, str]:
    """Run tests until the first fails: "passed", "failed" or "too long", and the test that failed."""
    env = os.environ | {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    marks = "not slow and not measure and not browser"
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", marks, *paths]
    try:
        done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "too long", ""
    failed = re.search(r"^(?:FAILED|ERROR) \S*?(test_\w+)\.py(?:::(\w+))?", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(f"pytest could not run {' '.join(paths)}:\n{done.stdout}{done.stderr}")
    return "passed" if done.returncode == 0 else "failed", ": ".join(filter(None, failed.groups())) if failed else ""


def try_all(mutations: list[Mutation]) -> list[dict]:
    """Try each mutation in a copy of the working tree and return a row for each."""
    rows, well = [], set()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, cwd=TOP, capture_output=True, text=True, check=True).stdout.split("\0"):
            if name and (TOP / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(TOP / name, copy / name)
        for mutation in mutations:
            changed = mutate(mutation, definitions(copy / "rdskd_lab"))
            if changed is None:
                rows.append({"mutation": mutation.name, "definition": mutation.where, "outcome": "no longer applies"})
            else:
                path, text = changed
                paths = tests_of(path)
                if tuple(paths) not in well and test(copy, paths)[0] != "passed":
                    raise SystemExit(f"{' '.join(paths)} fail before anything is changed")
                well.add(tuple(paths))
                before = path.read_text(encoding="utf-8")
                path.write_text(text, encoding="utf-8")
                ended, first = test(copy, paths)
                path.write_text(before, encoding="utf-8")
                outcome = "not noticed" if ended == "passed" else "noticed"
                first = first or ended.replace("passed", "")
                rows.append(dict(mutation=mutation.name, definition=mutation.where, outcome=outcome, test=first))
            print(*rows[-1].values(), sep=" | ", flush=True)
    return rows


def write(rows: list[dict]) -> None:
    """Put rows into the table, in the order of MUTATIONS; those of mutations that were not tried stay."""
    kept = {row["mutation"]: row for row in csv.DictReader(TABLE.open())} if TABLE.is_file() else {}
    kept |= {row["mutation"]: row for row in rows}
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["mutation", "definition", "outcome", "test"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept[mutation.name] for mutation in MUTATIONS if mutation.name in kept)


def main() -> int:
    """Do what the command line says; 1 if a mutation was not noticed or no longer applies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    chosen = [m for m in MUTATIONS if not asked.names or m.name.startswith(tuple(asked.names))]
    if asked.list:
        found = definitions(TOP / "rdskd_lab")
        stale = [mutation for mutation in chosen if mutate(mutation, found) is None]
        print(*(f"no longer applies: {mutation.name} ({mutation.where})" for mutation in stale), sep="\n")
        print(f"{len(chosen) - len(stale)} of {len(chosen)} apply")
        return bool(stale)
    rows = try_all(chosen)
    write(rows)
    return any(row["outcome"] != "noticed" for row in rows)


if __name__ == "__main__":
    raise SystemExit(main())
