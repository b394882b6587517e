import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.features.schema import NAMES
from include.forecast.distribution import LEVELS, Predictive, changes, crps, median_error
from include.forecast.horizon import BUCKETS, bucket_index
from include.forecast.intervals import Bands, calibrate, independent_windows, prior_bands
from include.forecast.rows import Rows

DAY = np.datetime64("2024-01-01")


def panel(seed=0, athletes=4, per_athlete=800):
    """Rows without features, and errors of standard normal size."""
    rng = np.random.default_rng(seed)
    count = athletes * per_athlete
    days = DAY + np.tile(np.arange(per_athlete), athletes)
    horizon = rng.integers(1, 46, count).astype(float)
    rows = Rows(
        athlete=np.repeat([f"a{index}" for index in range(athletes)], per_athlete),
        origin_day=days,
        target_day=days + horizon.astype("timedelta64[D]"),
        horizon_days=horizon,
        features=np.zeros((count, len(NAMES))),
        change=np.zeros(count),
        load_ahead=np.zeros(count),
        level_gap=np.zeros(count),
    )
    return rows, rng.normal(size=count)


def normal(error, factor=1.0):
    half = np.repeat(prior_bands().half_widths[:1] * factor, len(error), axis=0)
    return Predictive(np.zeros(len(error)), half, np.zeros(len(error), dtype=bool))


def test_buckets():
    assert list(bucket_index([1, 7, 8, 14, 15, 28, 29, 42, 45])) == [0, 0, 1, 1, 2, 2, 3, 3, 3]


@pytest.mark.parametrize("is_scaled", [True, False])
def test_calibrated_bands_cover_what_they_promise(is_scaled):
    rows, error = panel(athletes=16)
    bands = calibrate(error, rows, np.ones(len(rows)) if is_scaled else None)
    for index in range(len(BUCKETS)):
        assert bands.half_widths[index, -2] == pytest.approx(1.28, abs=0.12)
        assert bands.half_widths[index, -1] == pytest.approx(1.645, abs=0.15)
    assert not any(bands.is_prior)


def test_athletes_of_another_panel_are_covered_as_promised():
    """Athletes differ in volatility tenfold; bands in their own scale cover each horizon bucket of unseen ones."""
    scales = np.random.default_rng(7).lognormal(0, 0.8, 24)
    rows, error = panel(1, athletes=24, per_athlete=300)
    other, its_error = panel(2, athletes=24, per_athlete=300)
    scale = np.repeat(scales, 300) * np.sqrt((rows.horizon_days + 3) / 31)
    its_volatility = np.repeat(scales[::-1], 300)
    its_scale = its_volatility * np.sqrt((other.horizon_days + 3) / 31)
    bands = calibrate(error * scale, rows, scale)
    width = bands.half_width(other.horizon_days, np.zeros(len(other)), its_volatility)[:, -1]
    for index in range(len(BUCKETS)):
        mine = bucket_index(other.horizon_days) == index
        assert 0.87 <= (np.abs(its_error * its_scale) <= width)[mine].mean() <= 0.94


def test_every_athlete_counts_the_same():
    rows, _ = panel(athletes=2)
    error = np.where(rows.athlete == "a0", 1.0, 3.0)
    keep = (rows.athlete == "a1") | (np.arange(len(rows)) % 4 == 0)
    bands = calibrate(error[keep], rows.where(keep), None)
    level = list(LEVELS)
    assert bands.half_widths[0, level.index(0.45)] == 1.0
    assert bands.half_widths[0, level.index(0.53)] == 3.0


def test_few_windows_give_the_prior():
    rows, error = panel(athletes=1, per_athlete=300)
    bands = calibrate(error, rows, np.ones(len(rows)))
    assert not bands.is_prior[0]
    assert bands.is_prior[2:] == (True, True)
    assert (bands.half_widths[3] == prior_bands().half_widths[3]).all()


def test_overlapping_windows_do_not_count_twice():
    lag = np.full(280, 28.0)
    days = DAY + np.arange(280)
    assert 10 <= independent_windows(np.full(280, "a"), days, lag) <= 11
    both = independent_windows(np.repeat(["a", "b"], 280), np.tile(days, 2), np.tile(lag, 2))
    assert 20 <= both <= 22


@settings(max_examples=60, deadline=None)
@given(
    widths=st.lists(st.floats(0, 5), min_size=4, max_size=4),
    age=st.floats(0, 60),
    volatility=st.floats(0.3, 4),
    is_scaled=st.booleans(),
)
def test_a_later_horizon_never_narrows_a_band(widths, age, volatility, is_scaled):
    table = np.sort(np.outer(widths, LEVELS), axis=1)
    bands = Bands(table, (False,) * 4, (50.0,) * 4, is_scaled)
    days = np.arange(1.0, 46.0)
    width = bands.half_width(days, np.full(45, age), np.full(45, volatility))
    assert (np.diff(width, axis=0) >= -1e-12).all()
    assert (width[:, -1] >= width[:, -2]).all()


def test_bands_survive_json():
    rows, error = panel()
    bands = calibrate(error, rows, np.ones(len(rows)))
    again = Bands.from_json(bands.to_json())
    assert np.allclose(again.half_widths, bands.half_widths, atol=1e-6)
    assert again.is_prior == bands.is_prior


def test_crps_of_a_normal_distribution():
    error = np.array([0.0, 1.0, -1.0, 3.0])
    exact = np.array([0.2337, 0.6024, 0.6024, 2.4367])
    assert crps(normal(error), error) == pytest.approx(exact, abs=0.01)


def test_crps_is_that_of_the_hundred_changes():
    error = np.array([0.3, -2.0])
    likely = changes(normal(error))
    slow = [
        np.abs(one - y).mean() - np.abs(one[:, None] - one[None, :]).mean() / 2
        for one, y in zip(likely, error, strict=True)
    ]
    assert crps(normal(error), error) == pytest.approx(slow)


def test_crps_prefers_the_true_width():
    error = np.random.default_rng(3).normal(size=4000)
    score = {factor: crps(normal(error, factor), error).mean() for factor in (0.5, 1.0, 2.0)}
    assert score[1.0] < score[0.5]
    assert score[1.0] < score[2.0]


def test_where_the_watch_tells_whole_numbers_so_does_the_distribution():
    error = np.array([0.0, 1.0])
    fine = Predictive(np.array([0.3, 0.3]), normal(error).half_width, np.array([True, False]))
    likely = changes(fine)
    assert set(likely[0]) <= set(range(-4, 5))
    assert len(set(likely[1])) == 100
    assert (np.diff(likely, axis=1) >= 0).all()
    assert median_error(fine, np.zeros(2)) == pytest.approx([0.0, -0.3])
    stays = Predictive(fine.mean[:1], fine.half_width[:1] * 0.1, fine.is_whole[:1])
    assert crps(stays, np.zeros(1))[0] < 0.001
