"""What a run wrote down is read as it was written, and prepared for charts without losing what matters."""

import numpy as np
import pytest

from rdskd_lab.reporting import charts
from rdskd_lab.reporting.history import phases, read_history, running_median, terms, thin


def test_thinning_keeps_every_extreme():
    rng = np.random.default_rng(0)
    x, y = np.arange(130_000.0), rng.normal(size=130_000)
    y[[77_777, 90_001]] = 50, -50
    tx, ty = thin(x, y, 1000)
    assert len(tx) <= 1002 and (np.diff(tx) > 0).all() and tx[0] == 0 and tx[-1] == x[-1]
    assert np.array_equal(ty, y[tx.astype(int)])
    for start in range(0, len(y), 260):
        inside = ty[(tx >= start) & (tx < start + 260)]
        assert inside.min() == y[start : start + 260].min() and inside.max() == y[start : start + 260].max()
    assert len(thin(x[:9], y[:9])[0]) == 9, "short curves stay as they are"


def test_thinning_keeps_a_gap():
    y = np.where((np.arange(4000) > 1000) & (np.arange(4000) < 3000), np.nan, np.arange(4000.0))
    x, kept = thin(np.arange(4000), y, 150)
    assert np.isnan(kept).any() and np.nanmin(kept) == 0 and np.nanmax(kept) == 3999
    drawn = charts.Curves("t", [charts.Line("a", np.arange(4000), y, kind="thin")]).svg()
    assert drawn.split('opacity="0.75" d="')[1].split('"')[0].count("M") == 2  # the gap is not bridged


def test_running_median_against_a_flat_loop():
    y = np.random.default_rng(1).normal(size=1000)
    x, middle, window = running_median(np.arange(1000.0), y)
    assert window == 21 and len(x) <= 400
    for at, value in zip(x.astype(int), middle, strict=True):
        around = sorted(y[max(0, at - 10) : at + 11])
        assert value == (around[(len(around) - 1) // 2] + around[len(around) // 2]) / 2


def test_history_is_read_as_written(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(
        "phase,step,seconds,oh,oh_gain,oh_weight,zz,zz_gain,zz_weight,accuracy\n"
        "synthesise,0,0.1,1.5,4.48,1,,,,\nsynthesise,1,0.2,inf,1,1,,,,\njoint,2,0.3,,,,0.5,1,2,0.25\nsynth"
    )
    history = read_history(path)
    assert history["step"].tolist() == [0, 1, 2] and np.isnan(history["accuracy"][:2]).all()
    assert phases(history) == ["synthesise", "joint"]
    assert terms(history, "synthesise") == ["oh"] and terms(history, "joint") == ["zz"]
    assert charts.curve(history, "synthesise", "oh").y.tolist() == [1.5]  # what is not finite is not drawn
    path.write_text("")
    assert phases(read_history(path)) == []


@pytest.mark.parametrize("y", [[], [1.0], [2.0, 2.0], [0.0, 1e-9], [-1e6, 1e6], [np.nan, np.nan]])
def test_a_chart_survives_any_numbers(y):
    line = charts.Line("a & b", np.arange(len(y)), np.array(y))
    chart = charts.Curves("t", [line], level=(1.0, ""), until=float(len(y)))
    assert "nan" not in chart.svg() and "inf" not in chart.svg() and chart.plotly().data
