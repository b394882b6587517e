from datetime import date, timedelta

import numpy as np
import pytest
from garmin_documents import activity, curated, known

from include.curate.units import CM, KJ, foreign


def _history(count: int, first: date = date(2024, 1, 1), **more: object) -> list[dict]:
    start = (first - date(2024, 1, 1)).days
    return [activity(start + n + 1, day=str(first + timedelta(days=n)), **more) for n in range(count)]


def _none(count: int) -> np.ndarray:
    return np.zeros(count, dtype=bool)


def test_a_year_in_kilojoules_among_years_in_kcal_is_mended() -> None:
    items = _history(60) + _history(50, date(2024, 3, 1), calories=600 * 4.184) + _history(60, date(2024, 4, 20))
    tables = curated(items)
    assert np.allclose(tables.activities["energy_kcal"], 600.0)
    assert tables.mends == {"calories_kj_to_kcal": 50}


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


def _climb(sport: str, metres: float, seconds: float = 3600.0, distance: float = 10_000.0) -> tuple[float, dict]:
    tables = curated([activity(1, sport, elevationGain=metres, duration=seconds, distance=distance, calories=None)])
    return tables.activities["elevation_gain_m"].item(), dict(tables.mends)


def test_a_climb_of_34000_m_is_mended() -> None:
    assert _climb("cycling", 34_000.0, 4 * 3600.0, 100_000.0) == (340.0, {"elevation_cm_to_m": 1})
    assert _climb("open_water_swimming", 3_654.0, 1800.0, 1600.0) == (36.54, {"elevation_cm_to_m": 1})
    assert _climb("other", 34_000.0) == (340.0, {"elevation_cm_to_m": 1})


def test_a_climb_that_no_unit_explains_is_left_out() -> None:
    value, mends = _climb("running", 61_597.0, 905.0, 3243.0)
    assert np.isnan(value) and mends == {"elevation_gain_m_impossible_left_out": 1}


@pytest.mark.parametrize("sport", ["rock_climbing", "stair_climbing", "resort_skiing"])
def test_what_climbs_by_itself_or_on_a_wall_is_left_alone(sport: str) -> None:
    assert _climb(sport, 1_500.0, distance=600.0) == (1_500.0, {})


@pytest.mark.parametrize(
    ("kcal", "hours", "expected", "rule"),
    [
        (9_000.0, 5.0, 9_000 / 4.184, "calories_kj_to_kcal"),
        (9_000.0, 3.0, 9_000 / 4.184, "calories_kj_to_kcal"),
        (9_000.0, 1.0, None, "energy_kcal_impossible_left_out"),
        (9_000.0, 9.0, 9_000.0, None),
        (1_500.0, 1.0, 1_500.0, None),
    ],
)
def test_a_run_of_9000_kcal(kcal: float, hours: float, expected: float | None, rule: str | None) -> None:
    tables = curated([activity(1, calories=kcal, duration=hours * 3600)])
    assert tables.mends == ({rule: 1} if rule else {})
    assert [row.get("energy_kcal") for row in known(tables.activities)] == [expected and pytest.approx(expected)]


def test_a_virtual_climb_keeps_its_metres_among_climbs_in_centimetres() -> None:
    outdoors = _history(40, elevationGain=8_000.0)
    virtual = [
        activity(500 + n, "virtual_ride", startTimeLocal=f"2024-01-{n:02d} 18:00:00", elevationGain=140.0)
        for n in range(1, 29, 3)
    ]
    tables = curated(outdoors + virtual)
    assert sorted(set(tables.activities["elevation_gain_m"])) == [80.0, 140.0]
    assert tables.mends == {"elevation_cm_to_m": 40}


@pytest.mark.parametrize("speed", [27.78, 2.778, 0.2778])
def test_a_speed_ten_times_too_high_or_low_is_mended(speed: float) -> None:
    tables = curated([activity(1, averageSpeed=speed)])
    assert tables.activities["avg_speed_mps"].tolist() == [pytest.approx(2.778)]
    assert tables.mends == ({} if speed == 2.778 else {"avg_speed_tenfold_mended": 1})


def test_a_speed_of_the_moving_time_alone_is_left_alone() -> None:
    assert not curated([activity(1, averageSpeed=speed) for speed in (4.2,)]).mends


@pytest.mark.parametrize(("gap_months", "is_mended"), [(6, True), (14, False)])
def test_what_is_longer_ago_than_a_year_says_nothing_of_a_unit(gap_months: int, is_mended: bool) -> None:
    kilojoules = _history(31, date(2024, 1, 1), calories=600 * 4.184)
    doubtful = _history(3, date(2024, 2, 1) + timedelta(days=30 * gap_months), calories=22.0 * 60)
    told = curated(kilojoules + doubtful).activities["energy_kcal"].tolist()[-3:]
    assert told == [pytest.approx(22.0 * 60 / (4.184 if is_mended else 1))] * 3


def test_a_unit_that_changes_in_the_last_days_of_a_month_is_found_a_month_later() -> None:
    """The price of months that do not look ahead: up to two values, none of them impossible."""
    easy = 25.0 * 60  # 6 kcal/min in kJ
    tables = curated(_history(60, calories=360.0) + _history(40, date(2024, 3, 30), calories=easy))
    assert np.allclose(sorted(tables.activities["energy_kcal"])[:98], easy / 4.184, rtol=0.01)
    assert tables.mends == {"calories_kj_to_kcal": 38}


@pytest.mark.parametrize(("told", "weight_kg"), [(70_400.0, 70.4), (70.4, 70.4), (8_000.0, 8.0), (640_000.0, 640.0)])
def test_a_weight_in_kilograms_is_no_weight_in_grams(told: float, weight_kg: float) -> None:
    tables = curated({"calendarDate": "2025-05-01", "weight": told})
    assert tables.days["weight_kg"].tolist() == [pytest.approx(weight_kg)]
    assert tables.mends == ({"weight_told_in_kg_mended": 1} if told < 1000 else {})


@pytest.mark.parametrize("type_key", ["flying", "hang_gliding", "sky_diving", "wingsuit_flying", "motorcycling"])
def test_what_carries_the_athlete_climbs_as_fast_as_it_likes(type_key: str) -> None:
    flights = [activity(n, type_key, day=f"2025-05-{n:02d}", elevationGain=11_000.0) for n in range(1, 13)]
    tables = curated(flights)
    assert (set(tables.activities["elevation_gain_m"]), tables.mends) == ({11_000.0}, {})
