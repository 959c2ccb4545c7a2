"""Exercises of one_lesson: the first exercise of each notebook about a loss, with the same hints and misconceptions."""

from dataclasses import replace

from .ex04_authenticity import EXERCISES as AUTHENTICITY
from .ex05_class_diversity import EXERCISES as CLASS_DIVERSITY
from .ex06_inter_sample_diversity import EXERCISES as SAMPLE_DIVERSITY

EXERCISES = tuple(replace(each[0]) for each in (AUTHENTICITY, CLASS_DIVERSITY, SAMPLE_DIVERSITY))
