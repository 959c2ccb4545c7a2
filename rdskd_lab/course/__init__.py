"""What every notebook of the course starts with, and the exercises: `from rdskd_lab.course import begin`.

Read `lesson` (what `begin` returns), then `exercise` (how an answer is checked), then a notebook's own `exNN_name`.
"""

from ..reporting.style import canvas
from .classroom import Figure, class_figure, student_seed
from .lesson import Lesson, begin
from .pictures import five_boxes, sheet
from .tables import stored

__all__ = ["Figure", "Lesson", "begin", "canvas", "class_figure", "five_boxes", "sheet", "stored", "student_seed"]
