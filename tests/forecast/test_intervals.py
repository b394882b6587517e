import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.forecast.horizon import BUCKETS, bucket_index
from include.forecast.intervals import LEVELS, Bands, calibrate, crps, independent_windows, prior_bands

DAY = np.datetime64("2024-01-01")


def sample(seed=0, athletes=4, per_athlete=800, spread=1.0):
    rng = np.random.default_rng(seed)
    count = athletes * per_athlete
    return {
        "error": spread * rng.normal(size=count),
        "horizon_days": rng.integers(1, 46, count).astype(float),
        "scale": np.ones(count),
        "athlete": np.repeat([f"a{index}" for index in range(athletes)], per_athlete),
        "origin_day": DAY + np.tile(np.arange(per_athlete), athletes),
    }


def test_buckets():
    assert list(bucket_index([1, 7, 8, 14, 15, 28, 29, 42, 45])) == [0, 0, 1, 1, 2, 2, 3, 3, 3]


def test_calibrated_bands_cover_what_they_promise():
    bands = calibrate(**sample())
    for index in range(len(BUCKETS)):
        assert bands.half_widths[index, -2] == pytest.approx(1.28, abs=0.12)
        assert bands.half_widths[index, -1] == pytest.approx(1.645, abs=0.15)
    assert not any(bands.is_prior)


def test_every_athlete_counts_the_same():
    rows = sample(athletes=2)
    rows["error"] = np.where(rows["athlete"] == "a0", 1.0, 3.0)
    keep = (rows["athlete"] == "a1") | (np.arange(len(rows["error"])) % 4 == 0)
    bands = calibrate(**{name: value[keep] for name, value in rows.items()})
    level = list(LEVELS)
    assert bands.half_widths[0, level.index(0.45)] == 1.0
    assert bands.half_widths[0, level.index(0.53)] == 3.0


def test_few_windows_give_the_prior():
    bands = calibrate(**sample(athletes=1, per_athlete=300))
    assert not bands.is_prior[0]
    assert bands.is_prior[2:] == (True, True)
    assert (bands.half_widths[3] == prior_bands().half_widths[3]).all()


def test_overlapping_windows_do_not_count_twice():
    lag = np.full(280, 28.0)
    days = DAY + np.arange(280)
    assert 10 <= independent_windows(np.full(280, "a"), days, lag) <= 11


@settings(max_examples=60, deadline=None)
@given(
    widths=st.lists(st.floats(0, 5), min_size=4, max_size=4),
    age=st.floats(0, 60),
    volatility=st.floats(0.3, 4),
)
def test_a_later_horizon_never_narrows_a_band(widths, age, volatility):
    table = np.sort(np.outer(widths, LEVELS), axis=1)
    bands = Bands(table, (False,) * 4, (50.0,) * 4)
    days = np.arange(1.0, 46.0)
    width = bands.half_width(days, np.full(45, age), np.full(45, volatility))
    assert (np.diff(width, axis=0) >= -1e-12).all()
    assert (width[:, -1] >= width[:, -2]).all()


def test_bands_survive_json():
    bands = calibrate(**sample())
    again = Bands.from_json(bands.to_json())
    assert np.allclose(again.half_widths, bands.half_widths, atol=1e-6)
    assert again.is_prior == bands.is_prior


def test_crps_of_a_normal_distribution():
    half = prior_bands().half_widths[:1]
    error = np.array([0.0, 1.0, -1.0, 3.0])
    exact = np.array([0.2337, 0.6024, 0.6024, 2.4367])
    assert crps(error, np.repeat(half, 4, axis=0)) == pytest.approx(exact, abs=0.01)


def test_crps_prefers_the_true_width():
    rng = np.random.default_rng(3)
    error = rng.normal(size=4000)
    half = prior_bands().half_widths[:1]
    score = {factor: crps(error, np.repeat(half * factor, 4000, axis=0)).mean() for factor in (0.5, 1.0, 2.0)}
    assert score[1.0] < score[0.5]
    assert score[1.0] < score[2.0]
