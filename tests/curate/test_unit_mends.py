from datetime import date, timedelta

import numpy as np
import pytest
from garmin_documents import activity, curated

from include.curate.units import CM, KJ, foreign


def _history(count: int, first: date = date(2024, 1, 1), **more: object) -> list[dict]:
    start = (first - date(2024, 1, 1)).days
    return [activity(start + n + 1, day=str(first + timedelta(days=n)), **more) for n in range(count)]


def _none(count: int) -> np.ndarray:
    return np.zeros(count, dtype=bool)


def test_a_year_in_kilojoules_among_years_in_kcal_is_mended() -> None:
    items = _history(60) + _history(60, date(2024, 3, 1), calories=600 * 4.184) + _history(60, date(2024, 4, 30))
    tables = curated(items)
    assert np.allclose(tables.activities["energy_kcal"], 600.0)
    assert tables.mends == {"calories_kj_to_kcal": 60}


def test_a_whole_history_in_kilojoules_is_mended() -> None:
    tables = curated(_history(50, calories=700 * 4.184))
    assert np.allclose(tables.activities["energy_kcal"], 700.0)


def test_a_stretch_in_centimetres_is_mended() -> None:
    items = _history(60) + _history(60, date(2024, 3, 1), elevationGain=8_000.0)
    tables = curated(items)
    assert np.allclose(tables.activities["elevation_gain_m"], 80.0)
    assert tables.mends == {"elevation_cm_to_m": 60}


def test_hard_and_steep_training_in_the_right_unit_is_left_alone() -> None:
    tables = curated(_history(40, calories=1080.0, elevationGain=1500.0) + _history(20, date(2024, 4, 1)))
    assert not tables.mends


def test_a_single_hour_that_nobody_could_burn_or_climb_is_mended() -> None:
    items = _history(10) + _history(1, date(2024, 2, 1), calories=2500.0, elevationGain=9_000.0)
    tables = curated(items)
    assert tables.mends == {"calories_kj_to_kcal": 1, "elevation_cm_to_m": 1}
    assert tables.activities["elevation_gain_m"].max() == 90.0


def test_lifts_may_climb_faster_than_legs() -> None:
    assert not curated([activity(1, "resort_skiing", elevationGain=3_000.0)]).mends
    assert curated([activity(1, "hiking", elevationGain=3_000.0)]).mends == {"elevation_cm_to_m": 1}


def test_too_short_an_activity_says_nothing_of_its_unit() -> None:
    assert not curated([activity(1, duration=30.0, distance=20.0, calories=500.0, elevationGain=None)]).mends


@pytest.mark.parametrize("rule", [KJ, CM])
def test_a_value_that_says_nothing_goes_with_its_neighbours_when_they_agree(rule) -> None:
    wrong, right = rule.usual * rule.factor, rule.usual
    ratios = np.array([right] * 20 + [np.nan] + [wrong] * 10 + [np.nan, 0.0] + [wrong] * 10 + [np.nan])
    expected = [False] * 21 + [True] * 23
    assert foreign(ratios, rule, _none(44)).tolist() == expected


def test_values_that_say_nothing_leave_only_what_is_sure() -> None:
    surely = np.array([True, False])
    result = foreign(np.array([np.nan, 0.0]), KJ, surely)
    assert result.tolist() == [True, False] and result is not surely


def test_one_outlier_flips_no_stretch() -> None:
    ratios = np.full(30, KJ.usual)
    ratios[15] = KJ.usual * KJ.factor * 0.9
    assert not foreign(ratios, KJ, _none(30)).any()


def test_a_stretch_below_what_the_wrong_unit_would_give_is_the_right_one() -> None:
    ratios = np.full(50, KJ.least_median * 0.98)
    assert not foreign(ratios, KJ, _none(50)).any()


def test_no_activities_need_no_mending() -> None:
    assert foreign(np.array([]), KJ, _none(0)).tolist() == []
