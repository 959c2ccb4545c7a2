"""The paper's claims as studies that can contradict them, one file each: its plan, measure, verdicts and words.

The claims are those of the paper's abstract: the penalty on increments damps fluctuations; samples are authentic,
class-diverse and unlike each other; students are better than those of DAFL, MSKD, ZSKD and DeepInversion; and the
method is more robust over settings.  A verdict follows from a 95 % interval alone (`verdict`).
"""
