"""The exercise of robustness_for_researchers: an interval for the difference between two spreads, paired by seed."""

import torch

from ..exercise import Exercise, Misconception, Wrong

RNG = torch.Generator().manual_seed(12)


def _accuracies(level, spread):
    """Accuracies in % for 5 settings and 3 seeds; luck shifts all settings of a seed together."""
    noise = torch.randn(5, 3, generator=RNG, dtype=torch.float64)
    return level + spread * noise + 2 * torch.randn(3, generator=RNG, dtype=torch.float64)


OURS, RIVALS = _accuracies(88.0, 2.0), _accuracies(90.0, 4.0)
STOPPED = RIVALS.clone()
STOPPED[3, 1] = torch.nan  # the guard stopped this run
T = 4.302652729911275  # the 97.5 % quantile of Student's t with 2 degrees of freedom


def more_robust(ours, rivals, t):
    """The rival's spread over settings minus ours, with its 95 % interval: tensor (estimate, low, high), in points."""
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))  # a stopped run left a student that guesses
    d = rivals.std(0) - ours.std(0)  # over the settings: one difference per seed
    half = t * d.std() / len(d) ** 0.5
    return torch.stack([d.mean(), d.mean() - half, d.mean() + half])


def _interval(d, t):
    half = t * d.std() / len(d) ** 0.5
    return torch.stack([d.mean(), d.mean() - half, d.mean() + half])


def settings_and_seeds_pooled(ours, rivals, t):
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))
    d = (rivals - rivals.mean()).abs() - (ours - ours.mean()).abs()
    return _interval(d.flatten(), t)


def pooled_pairs(ours, rivals, t):
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))
    return _interval((ours - rivals).flatten(), t)


def stopped_runs_dropped(ours, rivals, t):
    def spread(x):
        return torch.stack([seed[~seed.isnan()].std() for seed in x.T])

    return _interval(spread(rivals) - spread(ours), t)


def stopped_runs_kept_as_nan(ours, rivals, t):
    return _interval(rivals.std(0) - ours.std(0), t)


def stopped_runs_as_zero(ours, rivals, t):
    ours, rivals = (x.nan_to_num(0.0) for x in (ours, rivals))
    return _interval(rivals.std(0) - ours.std(0), t)


def best_setting(ours, rivals, t):
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))
    return _interval(ours.max(0).values - rivals.max(0).values, t)


def mean_over_settings(ours, rivals, t):
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))
    return _interval(ours.mean(0) - rivals.mean(0), t)


def over_the_seeds(ours, rivals, t):
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))
    return _interval(rivals.std(1) - ours.std(1), t)


def not_paired(ours, rivals, t):
    a, b = (x.nan_to_num(10.0).std(0) for x in (ours, rivals))
    estimate = b.mean() - a.mean()
    half = t * ((a.var() + b.var()) / len(a)).sqrt()
    return torch.stack([estimate, estimate - half, estimate + half])


def ours_less_rivals(ours, rivals, t):
    return more_robust(rivals, ours, t)


def deviation_for_error(ours, rivals, t):
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))
    d = rivals.std(0) - ours.std(0)
    return torch.stack([d.mean(), d.mean() - t * d.std(), d.mean() + t * d.std()])


def divided_by_n(ours, rivals, t):
    estimate, low, high = more_robust(ours, rivals, t)
    half = (high - low) / 2 / len(ours[0]) ** 0.5
    return torch.stack([estimate, estimate - half, estimate + half])


def spread_of_the_whole_group(ours, rivals, t):
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))
    return _interval(rivals.std(0, unbiased=False) - ours.std(0, unbiased=False), t)


def watch(answer):
    seen = {}
    for words, rivals in ("", RIVALS), (" where one run was stopped", STOPPED):
        given = torch.as_tensor(answer(OURS.clone(), rivals.clone(), T))
        if given.shape != (3,):
            raise Wrong(f"Return three numbers, (estimate, low, high); yours has shape {tuple(given.shape)}.")
        for end, value in zip(("estimate", "low end", "high end"), given, strict=True):
            seen[f"the {end}{words}"] = value
    return seen


EXERCISES = (
    Exercise(
        title="is it more robust?",
        hints=(
            "Which axis is luck, and which axis is the claim about? First turn each table into one number per seed.",
            "Replace nan with the accuracy of a student that guesses. Take .std(0) over the settings. Subtract ours "
            "from the rival's, seed by seed. Then compute an interval for the mean of those few differences.",
            "d = rivals.std(0) - ours.std(0), and d.mean() plus or minus t * d.std() / len(d) ** 0.5.",
        ),
        answer=more_robust,
        watch=watch,
        right="studies.robustness.verdicts does the same. Three seeds give three differences, however many settings "
              "you tried, so the interval is wide.",
        misconceptions=(
            Misconception(settings_and_seeds_pooled, "settings and seeds pooled",
                "You treat each of the 15 runs as independent. But runs with the same seed share their luck, and the "
                "settings are what you compare. Only the 3 seeds are repeats: compute one number per seed first."),
            Misconception(pooled_pairs, "runs compared one by one",
                "You compare the runs one by one. That shows which method is better on average, not which one varies "
                "less, and it counts 15 repeats although there are only 3 seeds. Take the spread over the settings "
                "first: std(0)."),
            Misconception(stopped_runs_dropped, "stopped runs left out",
                "You leave out the runs that were stopped. Then a method that fails more often looks more robust. "
                "Count such a run as a student that guesses: 10 %."),
            Misconception(stopped_runs_kept_as_nan, "stopped runs left as nan",
                "One stopped run makes everything nan. A stopped run is a result: its student guesses, so put 10 % "
                "there."),
            Misconception(stopped_runs_as_zero, "stopped runs as 0 %",
                "A student that learned nothing still guesses: 10 % with ten classes, not 0 %."),
            Misconception(best_setting, "the best setting instead of the spread",
                "You compare the best settings. Among many settings, one is good by luck alone; a robust method does "
                "not need this luck. Compare the spread over the settings: std(0)."),
            Misconception(mean_over_settings, "the mean instead of the spread",
                "You compare the means over the settings. A method can be better everywhere and still vary more. "
                "Compare the spread: std(0)."),
            Misconception(over_the_seeds, "the spread over the seeds",
                "You take the spread over the seeds, which is luck. Take it over axis 0, the settings: the claim is "
                "about them."),
            Misconception(not_paired, "not paired",
                "Your estimate is right, but your interval is one for two unrelated groups. Both methods had the same "
                "seeds: take the difference seed by seed first, then its standard deviation."),
            Misconception(ours_less_rivals, "the other way round",
                "The sign is reversed. Subtract our spread from the rival's, so that a number above 0 is in our "
                "favour."),
            Misconception(deviation_for_error, "the standard deviation instead of the standard error",
                "Your interval shows where the next seed may fall. The interval for a mean is narrower: divide by the "
                "square root of the number of seeds."),
            Misconception(divided_by_n, "divided by n instead of its square root",
                "You divide the standard deviation by the number of seeds, so your interval is too narrow. Divide by "
                "the square root of that number."),
            Misconception(spread_of_the_whole_group, "divided by n instead of n - 1",
                "You compute the spread over the settings with unbiased=False, which divides by n. The settings are a "
                "sample: use torch's default, which divides by n - 1."),
        ),
    ),
)  # fmt: skip
