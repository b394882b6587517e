import numpy as np

from include.forecast.series import HORIZONS_DAYS, TOLERANCE_DAYS
from include.forecast.targets import make_rows


def test_targets_are_readings_with_the_lag_realised(make_features):
    features = make_features(athletes=2, days=200)
    rows = make_rows(features)
    assert len(rows)
    readings = {
        (row.athlete_id, row.event_time[:10]): row.vo2max_last
        for row in features.itertuples()
        if row.reading_age_days == 0
    }
    for index in range(len(rows)):
        target = readings[rows.athlete[index], str(rows.target_day[index])]
        assert rows.change[index] == target - rows.column("vo2max_last")[index]
    lag = (rows.target_day - rows.origin_day).astype(int)
    assert (lag == rows.horizon_days).all()
    assert lag.min() >= 1
    assert lag.max() <= 45
    assert all(min(abs(one - h) for h in HORIZONS_DAYS) <= TOLERANCE_DAYS for one in lag)


def test_origins_have_ages_that_serving_meets(make_features):
    ages = set(make_rows(make_features(athletes=3, every=15)).column("reading_age_days"))
    assert ages == {0, 7, 14, 21}


def test_sports_are_never_mixed(make_features):
    features = make_features(athletes=1, days=100)
    features.loc[50:, "sport"] = "cycling"
    rows = make_rows(features)
    cut = np.datetime64("2022-01-01") + 50
    assert not ((rows.origin_day < cut) & (rows.target_day >= cut)).any()
    assert (rows.origin_day >= cut).any()


def test_no_reading_gives_no_rows(make_features):
    features = make_features(athletes=1, days=50)
    features["vo2max_last"] = np.nan
    assert len(make_rows(features)) == 0


def test_one_reading_gives_no_rows(make_features):
    assert len(make_rows(make_features(athletes=1, days=30, every=30))) == 0
