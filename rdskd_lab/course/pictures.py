"""Pictures that tell the course's story: the five boxes of data-free distillation, and rows of images to compare."""

from dataclasses import dataclass, field
from html import escape

import numpy as np
from torch import Tensor

from ..reporting.charts import Chart, data_uri
from ..reporting.draw_svg import DARK, LIGHT
from ..reporting.style import canvas

WIDE, HIGH = 860, 292
BOXES = (  # left, top, width, first line, second line, whether it is a network that learns or is frozen
    (4, 40, 142, "random numbers", "the latents z", ""),
    (186, 40, 122, "generator", "learns", "--c0"),
    (352, 40, 112, "images", "made up", ""),
    (510, 40, 130, "teacher", "never changes", "--c1"),
    (686, 40, 168, "three losses", "one number to lower", ""),
    (352, 216, 130, "student", "learns", "--c2"),
    (686, 216, 168, "real digits", "only to test", ""),
)
ARROWS = (  # path, its words, where they stand, whether it is a gradient
    ("M146 68H182", "", 0, 0, False),
    ("M308 68H348", "", 0, 0, False),
    ("M464 68H506", "", 0, 0, False),
    ("M640 68H682", "", 0, 0, False),
    ("M770 100V150H247V104", "the gradient", 328, 142, True),
    ("M408 100V212", "images", 402, 196, False),
    ("M575 100V232H486", "the teacher's answers", 582, 196, False),
    ("M682 256H486", "how many does it read?", 584, 274, False),
)


@dataclass
class Boxes(Chart):
    """The diagram of data-free distillation: who makes what, who learns from whom."""

    title: str = "data-free distillation in five boxes"

    def alt_text(self) -> str:
        return (
            "Random numbers go into the generator, which makes images; the teacher answers to them; three losses judge "
            "the answers, and their gradient goes back to the generator, not to the teacher, which never changes. The "
            "student learns the teacher's answers to these images. Real digits only test the student."
        )

    def svg(self) -> str:
        """Draw it as a file of its own, which follows light and dark."""
        look = f":root{{{LIGHT}}}@media(prefers-color-scheme:dark){{:root{{{DARK}}}}}text{{fill:var(--ink);" + (
            "font:15px system-ui,'Segoe UI',Arial,sans-serif}.quiet{fill:var(--quiet);font-size:13px}"
        )
        parts = [f'<rect width="{WIDE}" height="{HIGH}" rx="4" style="fill:var(--page)"/>']
        for left, top, wide, name, does, colour in BOXES:
            edge = f"stroke:var({colour or '--quiet'});stroke-width:{3 if colour else 1.5}"
            middle = left + wide / 2
            parts += [
                f'<rect x="{left}" y="{top}" width="{wide}" height="60" rx="8" style="fill:none;{edge}"/>',
                f'<text x="{middle}" y="{top + 26}" text-anchor="middle" font-weight="600">{escape(name)}</text>',
                f'<text x="{middle}" y="{top + 46}" text-anchor="middle" class="quiet">{escape(does)}</text>',
            ]
        for path, words, x, y, gradient in ARROWS:
            look_ = "stroke:var(--c1);stroke-dasharray:6 4" if gradient else "stroke:var(--ink)"
            parts.append(f'<path d="{path}" style="fill:none;stroke-width:2;{look_}" marker-end="url(#tip)"/>')
            anchor = "middle" if gradient or y > 250 else "end" if x < 408 else "start"
            if words:
                parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="quiet">{escape(words)}</text>')
        tip = (
            '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" style="fill:var(--ink)"/></marker>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" height="{HIGH}" '
            f'role="img" aria-label="{escape(self.alt_text())}"><style>{look}</style><defs>{tip}</defs>'
            f"{''.join(parts)}</svg>"
        )

    def pictures(self) -> list[tuple[str, str]]:
        return [(data_uri("image/svg+xml", self.svg().encode()), self.alt_text())]


@dataclass
class ImageRows(Chart):
    """Rows of images to compare: {name: (n, C, S, S)}, each image stretched from its darkest to its brightest pixel.

    `answers` {name: n words} stand below the images of that row.
    """

    title: str
    rows: dict[str, Tensor]
    answers: dict[str, list[str]] = field(default_factory=dict)

    def alt_text(self) -> str:
        """Name the rows, and the answers to their images."""
        said = []
        for name, images in self.rows.items():
            below = f", answered {', '.join(self.answers[name])}" if name in self.answers else ""
            said.append(f"{name}: {len(images)} images{below}")
        return f"{self.title[:1].upper()}{self.title[1:]}. {'; '.join(said)}."

    def matplotlib(self):
        columns = max(map(len, self.rows.values()))
        figure, axes = canvas(0.95 * columns + 1.6, 1.25 * len(self.rows), columns, len(self.rows))
        for row, (name, images) in enumerate(self.rows.items()):
            for column, axis in enumerate(axes[row * columns : (row + 1) * columns]):
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
                if column == 0:
                    axis.set_ylabel(name.replace(", ", ",\n"), rotation=0, ha="right", va="center", fontsize=11)
                if column < len(images):
                    axis.imshow(_grey(images[column]), cmap="gray", interpolation="nearest")
                    if name in self.answers:
                        axis.set_xlabel(self.answers[name][column], fontsize=10)
        return figure


def _grey(image: Tensor) -> np.ndarray:
    """Stretch an image (C, S, S) to 0 ... 1; grey (S, S) or colour (S, S, 3)."""
    image = image.detach().float().cpu()
    image = (image - image.min()) / (image.max() - image.min()).clamp_min(1e-8)
    return image[0].numpy() if len(image) == 1 else image.movedim(0, -1).numpy()
