import numpy as np
import pytest

from include.features.schema import NAMES
from include.forecast.rows import Rows
from include.forecast.what_if import NO_EFFECT, LoadEffect, fit_effect, plan_mean

EFFECT = LoadEffect(0.5, 0.2, 0.8, 2.0)
DAYS = np.arange(1.0, 43.0)


def features(count=42, load_mean=60.0, load_42d=60.0):
    table = np.ones((count, len(NAMES)))
    table[:, NAMES.index("load_mean")], table[:, NAMES.index("load_42d")] = load_mean, load_42d
    return table


def test_more_planned_load_never_lowers_a_forecast():
    before = None
    for load in np.linspace(0, 300, 31):
        change = EFFECT.difference(features(), np.full(42, load), DAYS, np.ones(42))[:, 0]
        assert before is None or (change >= before).all()
        before = change


def test_beyond_what_athletes_have_done_load_counts_no_more():
    within, beyond, far = (
        EFFECT.difference(features(), np.full(42, load), DAYS, np.ones(42))[-1, 0] for load in (60, 120, 600)
    )
    assert within < beyond == far


def test_as_usual_and_an_unknown_usual_change_nothing():
    assert (EFFECT.difference(features(), np.full(42, 60.0), DAYS, np.ones(42)) == 0).all()
    assert (EFFECT.difference(features(load_mean=np.nan), np.full(42, 90.0), DAYS, np.ones(42)) == 0).all()
    assert (EFFECT.difference(features(), np.full(42, np.nan), DAYS, np.ones(42)) == 0).all()


def test_the_band_lies_about_the_difference_whichever_way_it_goes():
    for load in (20.0, 100.0):
        expected, low, high = EFFECT.difference(features(), np.full(42, load), DAYS, np.ones(42))[-1]
        assert low < expected < high


def panel(effect, athletes=8, count=300, seed=0):
    rng = np.random.default_rng(seed)
    rows = athletes * count
    table = features(rows)
    ahead = 60 * rng.lognormal(0, 0.4, rows)
    days = np.datetime64("2024-01-01") + np.tile(np.arange(count), athletes)
    panel = Rows(
        np.repeat([f"a{i}" for i in range(athletes)], count), days, days + 42, np.full(rows, 42.0), table,
        np.zeros(rows), ahead, np.zeros(rows),
    )  # fmt: skip
    return panel, effect * (ahead / 60 - 1) + rng.normal(0, 0.5, rows)


def test_an_effect_that_is_there_is_found_with_its_band():
    rows, residual = panel(0.6)
    found = fit_effect(rows, residual, np.ones(len(rows)), 7)
    assert found.expected == pytest.approx(0.55, abs=0.08)
    assert 0 < found.low < found.expected < found.high
    assert 1.0 < found.support < 3.0


def test_an_effect_is_never_negative_nor_made_of_nothing():
    rows, residual = panel(-0.6)
    assert fit_effect(rows, residual, np.ones(len(rows)), 7).expected == 0
    unknown = Rows(
        *(np.full(len(rows), np.nan) if n == "load_ahead" else getattr(rows, n) for n in rows.__dataclass_fields__)
    )
    assert fit_effect(unknown, residual, np.ones(len(rows)), 7) == NO_EFFECT


def test_a_plan_is_told_as_the_mean_load_until_each_day():
    mean = plan_mean([70.0, 140.0], DAYS)
    assert mean[6] == pytest.approx(10)
    assert mean[13] == pytest.approx(15)
    assert mean[41] == pytest.approx((70 + 5 * 140) / 42)
