"""The exercise of notebook 12: is it more robust?  The interval of a difference of spreads, paired by seed."""

import torch

from ..exercise import Exercise, Misconception, Wrong

RNG = torch.Generator().manual_seed(12)


def _accuracies(level, spread):
    """Accuracies in % of 5 settings and 3 seeds; luck moves all settings of a seed together."""
    noise = torch.randn(5, 3, generator=RNG, dtype=torch.float64)
    return level + spread * noise + 2 * torch.randn(3, generator=RNG, dtype=torch.float64)


OURS, RIVALS = _accuracies(88.0, 2.0), _accuracies(90.0, 4.0)
STOPPED = RIVALS.clone()
STOPPED[3, 1] = torch.nan  # the guard stopped this run
T = 4.302652729911275  # the 97.5 % quantile of Student's t with 2 degrees of freedom


def more_robust(ours, rivals, t):
    """Rival's spread over settings less ours, with its 95 % interval: tensor (estimate, low, high), in points."""
    ours, rivals = (x.nan_to_num(10.0) for x in (ours, rivals))  # a stopped run left a student that guesses
    d = rivals.std(0) - ours.std(0)  # over the settings; one number a seed, of the same seed
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


def watch(answer):
    seen = {}
    for words, rivals in ("", RIVALS), (" where one run was stopped", STOPPED):
        given = torch.as_tensor(answer(OURS.clone(), rivals.clone(), T))
        if given.shape != (3,):
            raise Wrong(f"Three numbers were asked for, (estimate, low, high); yours has shape {tuple(given.shape)}.")
        for end, value in zip(("estimate", "low end", "high end"), given, strict=True):
            seen[f"the {end}{words}"] = value
    return seen


EXERCISES = (
    Exercise(
        title="is it more robust?",
        hints=(
            "Which axis is luck, and which is what the claim is about? First make one number a seed out of each table.",
            "Replace nan by what a stopped run's student knows; .std(0) over the settings; the rival's less ours, seed "
            "by seed; then an interval of those few differences.",
            "d = rivals.std(0) - ours.std(0), and d.mean() plus or minus t * d.std() / len(d) ** 0.5.",
        ),
        answer=more_robust,
        watch=watch,
        right="It is what studies.robustness.verdicts does. Three seeds make three differences, however many settings "
              "there are, and so the interval is wide.",
        misconceptions=(
            Misconception(settings_and_seeds_pooled, "settings and seeds pooled",
                "You treat every run as a witness of its own: 15 of them. But runs of one seed share their luck, and "
                "settings are what is compared; only seeds are repeats. There are 3, and the interval must say so."),
            Misconception(pooled_pairs, "runs paired one by one",
                "You compare run with run. That asks which method is better on average, not which varies less, and it "
                "counts 15 witnesses where 3 seeds are."),
            Misconception(stopped_runs_dropped, "stopped runs dropped",
                "You leave out what the guard stopped. Then a method looks the more robust the worse it fails: count "
                "such a run as a student that guesses, 10 %."),
            Misconception(stopped_runs_kept_as_nan, "stopped runs left as nan",
                "One stopped run makes everything nan. It is an outcome, not a hole: its student guesses, 10 %."),
            Misconception(stopped_runs_as_zero, "stopped runs as 0 %",
                "A student that learned nothing still guesses: 10 % of ten classes, not 0."),
            Misconception(best_setting, "best setting for spread",
                "You compare the best settings. Whoever tries many settings finds a good one by luck; robust is what "
                "does not need that. Compare how far the settings scatter."),
            Misconception(mean_over_settings, "mean for spread",
                "You compare the means over settings. A method can be better everywhere and scatter more. Here the "
                "question is the scatter: std over the settings."),
            Misconception(over_the_seeds, "spread over seeds",
                "Your spread runs over seeds: that is luck. Axis 0, the settings, is what the claim is about."),
            Misconception(not_paired, "not paired",
                "Your estimate is right, your interval is that of two unrelated groups. Both methods had the same "
                "seeds: take the difference seed by seed first, then its standard deviation."),
            Misconception(ours_less_rivals, "the other way round",
                "Your sign is turned: above 0 should speak for us, so the rival's spread less ours."),
            Misconception(deviation_for_error, "standard deviation for standard error",
                "Your interval is where the next seed may fall. That of a mean is narrower, by the root of the number "
                "of seeds."),
        ),
    ),
)  # fmt: skip
