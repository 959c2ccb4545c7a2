"""Pictures for the notebooks: the five boxes of the method, and rows of images with the teacher's answers."""

import io
from dataclasses import dataclass
from html import escape

import numpy as np
import torch
from torch import Tensor, nn

from ..reporting.charts import Chart, data_uri
from ..reporting.draw_svg import DARK, LIGHT
from ..reporting.style import load

STYLE = (
    "text{font:14px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:var(--ink)}.h{font-weight:650;font-size:16px}"
    ".q{fill:var(--quiet);font-size:13px}.m{text-anchor:middle}.e{text-anchor:end}image{image-rendering:pixelated}"
    ".box{fill:none;stroke:var(--ink);stroke-width:1.6}.loss{stroke:var(--c1)}.net{stroke:var(--c0)}"
    ".arrow{fill:none;stroke:var(--ink);stroke-width:1.8}.back{stroke:var(--c1)}.test{stroke-dasharray:5 4}"
    ".back-word{fill:var(--c1)}"
)
LOSSES = "sure of each image?", "all ten classes?", "different images?"
LABEL, TILE, LINE = 132, 62, 18  # of a sheet: width of a row's name, pitch of the tiles, height of an answer


@dataclass
class Picture(Chart):
    """An SVG drawing with a description; it follows the light or dark theme."""

    title: str
    width: int
    height: int
    parts: list[str]
    words: str

    def svg(self) -> str:
        """Draw the SVG file."""
        look = f":root{{{LIGHT}}}@media(prefers-color-scheme:dark){{:root{{{DARK}}}}}{STYLE}"
        ground = f'<rect x="-8" y="-8" width="{self.width + 16}" height="{self.height + 16}" style="fill:var(--page)"/>'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -8 {self.width + 16} {self.height + 16}" '
            f'width="{self.width + 16}" height="{self.height + 16}" role="img" aria-label="{escape(self.words)}">'
            f"<style>{look}</style>{ground}{''.join(self.parts)}</svg>"
        )

    def pictures(self) -> list[tuple[str, str]]:
        return [(data_uri("image/svg+xml", self.svg().encode()), self.words)]

    def alt_text(self) -> str:
        return self.words


def sheet(rows: dict[str, Tensor | dict], teacher: nn.Module | None = None, columns: int = 10, most: int = 20):
    """Show named rows of images, at most `most` images each, `columns` side by side; return a Picture.

    A row is images (N, C, S, S), or what `Distillation.picture` returns. Each image is stretched from its darkest to
    its brightest pixel. Below an image stand the teacher's answer and how sure it is; for plain images this needs
    `teacher`.
    """
    parts, said, top = [], [], 0
    for name, row in rows.items():
        images, answers = _answered(row, teacher, most)
        first, *others = name.split("\n")
        parts.append(_text(0, top + 26, first, "h"))
        parts += [_text(0, top + 46 + LINE * n, line, "q") for n, line in enumerate(others)]
        for n, image in enumerate(images):
            x, y = LABEL + n % columns * TILE, top + n // columns * (TILE + LINE * bool(answers))
            parts.append(_image(x, y, TILE - 4, image))
            if answers:
                label, sure = answers[n]
                parts.append(_text(x + TILE / 2 - 2, y + TILE + 10, f"{label}  {sure:.0%}", "q m"))
        lines = -(-len(images) // columns)
        top += max(lines * (TILE + LINE * bool(answers)), 46 + LINE * len(others)) + 10
        said.append(f"{' '.join(name.split())}: {len(images)} images{_tally(answers)}")
    words = f"Rows of images. {'; '.join(said)}."
    return Picture(", ".join(" ".join(name.split()) for name in rows), LABEL + columns * TILE, top - 10, parts, words)


def five_boxes(images: Tensor, real: Tensor):
    """Draw the method's five boxes with generated `images` and `real` digits, (N, C, S, S); return a Picture."""
    shown, tests = _stretched(images)[:8], _stretched(real)[:4]
    parts = [
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L10 5L0 10z" style="fill:var(--ink)"/></marker><marker id="back" viewBox="0 0 10 10" refX="9" '
        'refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" style="fill:var(--c1)"/>'
        "</marker></defs>",
        *_box(96, 66, 132, 82, "net", "generator", "learns to make", "images"),
        *_box(274, 48, 158, 118, "", "images"),
        *_box(478, 66, 124, 82, "net", "teacher", "answers; never", "changes"),
        *_box(648, 48, 172, 118, "loss", "losses"),
        *_box(478, 228, 124, 82, "net", "student", "learns the", "answers"),
        *[_image(283 + n % 4 * 36, 84 + n // 4 * 37, 34, image) for n, image in enumerate(shown)],
        *[_image(648 + n * 43, 246, 40, image) for n, image in enumerate(tests)],
        *[_text(664, 98 + 24 * n, line, "") for n, line in enumerate(LOSSES)],
        _text(0, 100, "random", ""),
        _text(0, 118, "numbers", ""),
        _arrow(66, 107, 92, 107),
        _arrow(228, 107, 270, 107),
        _arrow(432, 107, 474, 107),
        _arrow(602, 107, 644, 107),
        _arrow(540, 148, 540, 224),
        _text(550, 192, "the answers to learn", "q"),
        '<path class="arrow" d="M353 166V268H474" marker-end="url(#tip)"/>',
        _text(362, 258, "same images", "q"),
        '<path class="arrow back" d="M734 44V16H162V62" marker-end="url(#back)"/>',
        _text(448, 10, "gradient: change the generator so that the losses fall", "q back-word m"),
        '<path class="arrow test" d="M644 268H606" marker-end="url(#tip)"/>',
        _text(648, 308, "real digits: for the test only", "q"),
    ]
    words = (
        "Five boxes. Random numbers go into the generator, which makes images. The teacher answers each image and "
        "never changes. The losses ask: is the teacher sure, are all ten classes there, do images differ? "
        "Their gradient goes back to the generator. The student learns the teacher's answers to the same images. Real "
        "digits are used for the test only."
    )
    return Picture("the five boxes of data-free distillation", 824, 312, parts, words)


def _answered(row: Tensor | dict, teacher: nn.Module | None, most: int):
    """Return a row's images as bytes, and its answers: [(class, how sure), ...], empty if there is no teacher."""
    if isinstance(row, dict):
        answers = list(zip(row["labels"].tolist(), row["confidence"].tolist(), strict=True))
        return row["images"].numpy()[:most], answers[:most]
    row = row[:most]
    if teacher is None:
        return _stretched(row), []
    weight = next(teacher.parameters())
    with torch.no_grad():
        sure, labels = teacher(row.to(weight)).softmax(1).max(1)
    return _stretched(row), list(zip(labels.tolist(), sure.tolist(), strict=True))


def _stretched(images: Tensor) -> np.ndarray:
    images = images.detach().cpu().double()
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    return ((images - low) / (high - low).clamp_min(1e-8) * 255).round().to(torch.uint8).numpy()


def _tally(answers: list) -> str:
    if not answers:
        return ""
    labels = sorted(label for label, _ in answers)
    found = ", ".join(f"{labels.count(k)} of class {k}" for k in dict.fromkeys(labels))
    return f"; the teacher sees {found} and is {sum(sure for _, sure in answers) / len(answers):.0%} sure on average"


def _image(x: float, y: float, size: float, image: np.ndarray) -> str:
    """Place one image, uint8 (C, S, S)."""
    file, pixels = io.BytesIO(), np.moveaxis(image, 0, -1)
    pixels = pixels.repeat(3, -1) if pixels.shape[-1] == 1 else pixels
    load("matplotlib.image").imsave(file, pixels, format="png", metadata={"Software": None})
    return f'<image x="{x}" y="{y}" width="{size}" height="{size}" href="{data_uri("image/png", file.getvalue())}"/>'


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, kind: str, name: str, *lines: str) -> list[str]:
    middle = x + width / 2
    box = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" class="box {kind}"/>'
    return [
        box,
        _text(middle, y + 24, name, "h m"),
        *(_text(middle, y + 44 + 18 * n, s, "q m") for n, s in enumerate(lines)),
    ]


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="arrow" d="M{x1} {y1}L{x2} {y2}" marker-end="url(#tip)"/>'
