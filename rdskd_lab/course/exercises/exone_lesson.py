"""Exercises of one_lesson: the first exercise of each notebook about a loss, with the same hints and misconceptions."""

from dataclasses import replace

from .ex03_authenticity import EXERCISES as AUTHENTICITY
from .ex04_class_diversity import EXERCISES as CLASS_DIVERSITY
from .ex05_inter_sample_diversity import EXERCISES as SAMPLE_DIVERSITY

EXERCISES = tuple(replace(each[0]) for each in (AUTHENTICITY, CLASS_DIVERSITY, SAMPLE_DIVERSITY))
