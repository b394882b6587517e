"""One athlete with an impossible history changes nothing for the others of a deployment."""

import numpy as np
import pandas as pd
import pytest

from include.features.schema import NAMES
from include.forecast.backtest import build
from include.forecast.horizon import BUCKETS
from include.forecast.own_record import COMBINED, blank
from include.forecast.population import read_population
from include.forecast.rows import concatenate
from include.forecast.targets import make_rows

HORIZONS = np.array([7.0, 14.0, 28.0, 42.0])
LAST_READING = NAMES.index("vo2max_last")


def swinging(make_features):
    """Readings of 5 and 95 in turn."""
    features = make_features(athletes=1, days=900, seed=9)
    reading = features["reading_age_days"].eq(0).cumsum()
    features["vo2max_last"] = np.where(reading % 2, 5.0, 95.0)
    features["reading_step"] = np.where(reading % 2, -90.0, 90.0)
    for name in ("reading_mean_30d_gap", "reading_mean_90d_gap", "reading_mean_all_gap"):
        features[name] = 50.0 - features["vo2max_last"]
    features["reading_volatility"] = 60.0
    return features.assign(athlete_id="bad")


def rising(make_features):
    """From 20 to 90, and from there back to 20 at once, over and over: what comes back to a mean is always wrong."""
    features = make_features(athletes=1, days=900, seed=9)
    features["vo2max_last"] = 20.0 + features["reading_age_days"].eq(0).cumsum() % 60
    for name in ("reading_mean_30d_gap", "reading_mean_90d_gap", "reading_mean_all_gap"):
        features[name] = 20.0 - features["vo2max_last"]
    features["reading_volatility"] = 20.0
    return features.assign(athlete_id="bad")


def long_ago(make_features):
    """One reading and one run of 1989, 33 years before the others of the same athlete."""
    features = make_features(athletes=1, days=900, seed=9)
    before = features.iloc[:22].copy()
    before["event_time"] = pd.date_range("1989-12-31", periods=22).strftime("%Y-%m-%dT00:00:00Z")
    before["vo2max_last"], before["reading_age_days"] = 50.0, np.arange(22.0)
    later = features.copy()
    for name in ("history_days", "reading_history_days"):
        later[name] = later[name] + 12_000
    return pd.concat([before, later]).assign(athlete_id="bad")


def served(rows, population):
    """What each of the six is given after their last reading, and by what."""
    forecaster, served_by = build(rows, population, 7)
    found = {}
    for athlete in [f"athlete-{index}" for index in range(6)]:
        own = rows.where(rows.athlete == athlete)
        features = np.repeat(own.features[-1:], len(HORIZONS), axis=0)
        answer = forecaster.served(served_by, features, HORIZONS, blank(forecaster.start, len(HORIZONS)))
        found[athlete] = features[:, LAST_READING] + answer.mean, answer.half_width[:, -1]
    return served_by, found


@pytest.fixture(scope="module")
def six(make_features):
    return make_rows(make_features(athletes=6, days=900, reverting=0.8))


@pytest.fixture(scope="module")
def alone(six):
    return served(six, read_population())


@pytest.mark.parametrize("history", [swinging, long_ago])
def test_an_impossible_history_takes_nothing_from_the_others(make_features, six, alone, history):
    odd = make_rows(history(make_features))
    assert len(odd)
    served_by, found = served(concatenate([odd, six]), read_population())
    assert served_by == alone[0] == dict.fromkeys(BUCKETS, COMBINED)
    for athlete, (value, width) in alone[1].items():
        # A seventh athlete like the six moves them by up to 0.11: what all learn from one more is not harm.
        assert np.abs(found[athlete][0] - value).max() < 0.15
        assert np.abs(found[athlete][1] / width - 1).max() < 0.15


def test_an_athlete_whom_every_method_fails_takes_no_range_of_days_from_the_others(make_features, six, alone):
    served_by, _ = served(concatenate([make_rows(rising(make_features)), six]), read_population())
    assert served_by == alone[0]
