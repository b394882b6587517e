import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.plain_features import plain_features
from include.features.build import build_features
from include.features.schema import COLUMNS, NAMES
from infra.population.athletes import tables_of
from tests.features.conftest import random_frames


def run(day, load=100.0, **more):
    return {"day": day, "sport": "running", "duration_s": 3600.0, "training_load": load, **more}


def reading(day, value, sport="running", precise=False, of_activity=None):
    return {"day": day, "sport": sport, "vo2max": value, "is_precise": precise, "activity_vo2max": of_activity}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(0, 200))
def test_a_row_knows_nothing_of_later_days(seed, cut):
    tables = random_frames(seed)
    whole = build_features(tables)
    present = pd.concat([tables.activities["day"], tables.days["day"], tables.vo2max["day"]])
    starts = pd.concat([tables.activities["day"], tables.vo2max["day"]])
    days = sorted(day for day in present.unique() if day >= starts.min())
    day = days[cut % len(days)]
    then = build_features(tables.until(day))
    assert then.iloc[-1]["event_time"] == f"{day:%Y-%m-%d}T00:00:00Z"
    pd.testing.assert_frame_equal(then, whole.iloc[: len(then)], check_exact=True)


IN_ANOTHER_ORDER = ["reading_mean_30d_gap", "reading_mean_90d_gap", "reading_mean_all_gap", "reading_volatility"]
"""Means that plain pandas sums up in another order, so that the last digits may differ."""


def assert_same_as_plain_pandas(tables):
    rows, plain = build_features(tables), plain_features(tables)
    exact = rows.columns.drop(IN_ANOTHER_ORDER)
    pd.testing.assert_frame_equal(rows[exact], plain[exact], check_exact=True)
    pd.testing.assert_frame_equal(rows, plain, check_exact=False, rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), length_days=st.integers(60, 400), again=st.floats(0, 1))
def test_features_are_those_of_plain_pandas(seed, length_days, again):
    """The same numbers as rolling windows and merges give, on days with several activities too."""
    tables = random_frames(seed, length_days)
    more = tables.activities.sample(frac=again, random_state=seed)
    more = more.assign(activity_id=[f"again-{number}" for number in range(len(more))])
    activities = pd.concat([tables.activities, more.assign(training_load=more["training_load"] * 1.37)])
    assert_same_as_plain_pandas(type(tables)(activities, tables.days, tables.vo2max))


def test_features_of_synthetic_athletes_are_those_of_plain_pandas():
    for _, tables in tables_of("synthetic:athletes=3,years=2"):
        assert_same_as_plain_pandas(tables)


def test_an_activity_without_a_day_counts_for_no_day(make):
    runs = [run(day) for day in pd.date_range("2024-01-01", periods=20)]
    pd.testing.assert_frame_equal(build_features(make([*runs, run(None, 900.0)])), build_features(make(runs)))


def test_rows_run_from_the_first_activity_to_the_last_day_of_data(make):
    rows = build_features(make([run("2024-03-05")], [{"day": "2024-03-01"}, {"day": "2024-03-20"}]))
    assert list(rows.columns) == list(COLUMNS)
    assert rows["event_time"].iloc[0] == "2024-03-05T00:00:00Z"
    assert rows["event_time"].iloc[-1] == "2024-03-20T00:00:00Z"
    assert rows["vo2max_last"].isna().all()


def test_no_data_gives_no_rows(make):
    assert list(build_features(make()).columns) == list(COLUMNS)
    assert build_features(make(days=[{"day": "2024-03-01"}])).empty


def test_readings_age_and_means(make):
    rows = build_features(
        make(
            [run("2024-01-31")],
            vo2max=[reading("2024-01-01", 50), reading("2024-01-11", 52), reading("2024-01-29", 54)],
        )
    ).set_index("event_time")
    last = rows.iloc[-1]
    assert (last["vo2max_last"], last["reading_age_days"], last["readings"]) == (54, 2, 3)
    assert last["reading_mean_30d_gap"] == pytest.approx((50 + 52 + 54) / 3 - 54)
    assert last["reading_history_days"] == 28
    assert last["reading_volatility"] == pytest.approx(4)
    assert last["reading_pairs"] == 1
    assert rows.loc["2024-01-11T00:00:00Z", "reading_age_days"] == 0
    assert rows.loc["2024-01-10T00:00:00Z", "vo2max_last"] == 50


def test_the_series_is_the_sport_with_most_readings_so_far(make):
    rows = build_features(
        make(
            vo2max=[
                reading("2024-01-01", 50),
                reading("2024-01-02", 55, "cycling"),
                reading("2024-01-03", 56, "cycling"),
            ]
        )
    )
    assert list(rows["sport"]) == ["running", "running", "cycling"]
    assert list(rows["vo2max_last"]) == [50, 50, 56]


def test_a_precise_reading_wins_its_day(make):
    rows = build_features(make(vo2max=[reading("2024-01-01", 50.3, precise=True), reading("2024-01-01", 50)]))
    assert rows["vo2max_last"].iloc[0] == 50.3


def test_load_averages_of_a_steady_trainer(make):
    days = pd.date_range("2024-01-01", periods=300)
    last = build_features(make([run(day) for day in days])).iloc[-1]
    for name in ("load_7d", "load_14d", "load_28d", "load_42d", "load_mean"):
        assert last[name] == pytest.approx(100)
    assert last["load_balance"] == pytest.approx(0, abs=1e-9)
    assert last["load_measured_share"] == pytest.approx(1)


def test_more_load_never_lowers_an_average(make):
    days = pd.date_range("2024-01-01", periods=60)
    less = build_features(make([run(day, 80.0) for day in days]))
    more = build_features(make([run(day, 80.0 + (day.day == 10) * 50) for day in days]))
    for name in ("load_7d", "load_14d", "load_28d", "load_42d"):
        assert (more[name].dropna() >= less[name].dropna() - 1e-9).all()


def test_a_week_without_a_trace_is_rest_and_longer_is_unknown(make):
    rows = build_features(make([run(day) for day in pd.date_range("2024-01-01", periods=30)] + [run("2024-03-30")]))
    by_day = rows.set_index("event_time")["load_7d"]
    assert by_day["2024-02-06T00:00:00Z"] < by_day["2024-01-30T00:00:00Z"]
    assert by_day["2024-02-07T00:00:00Z":"2024-03-29T00:00:00Z"].isna().all()
    assert by_day["2024-03-30T00:00:00Z"] > by_day["2024-02-06T00:00:00Z"]


def test_without_the_activity_behind_a_reading_training_is_unknown_until_the_next_one(make):
    calendar = pd.date_range("2024-01-01", periods=40)
    worn = [{"day": day, "resting_hr_bpm": 50.0} for day in calendar]
    runs = [run(day) for day in (*calendar[:16:2], *calendar[30::2])]
    told = [reading("2024-01-15", 50), reading("2024-01-16", 50), reading("2024-01-21", 51), reading("2024-02-09", 52)]
    rows = build_features(make(runs, worn, told)).set_index("event_time")
    names, weekly = (
        ["load_42d", "days_since_activity", "days_since_sport"],
        ["training_hours_21d", "sport_sessions_21d"],
    )
    assert rows.loc["2024-01-20T00:00:00Z", names].notna().all()
    assert rows.loc["2024-01-21T00:00:00Z":"2024-01-30T00:00:00Z", names].isna().to_numpy().all()
    assert list(rows.loc["2024-01-30T00:00:00Z", weekly]) == pytest.approx([7 * 3 / 11] * 2)  # of the 10th to the 20th
    assert rows.loc["2024-02-09T00:00:00Z", names].notna().all()
    assert rows["sport_sessions_mean"].iloc[-1] == pytest.approx(7 * 13 / 30)
    nothing = build_features(make([], worn, told))
    assert nothing[names + weekly].isna().to_numpy().all() and nothing["vo2max_last"].notna().any()


def test_a_worn_watch_without_activity_is_rest(make):
    days = pd.date_range("2024-01-01", periods=60)
    rows = build_features(make([run(day) for day in days[:20]], [{"day": day} for day in days]))
    assert rows["load_7d"].iloc[-1] < 1
    assert rows["days_since_activity"].iloc[-1] == 40


def test_volume_is_a_weeks_of_the_days_that_are_known(make):
    """An hour every other day; three weeks later the watch has lain in a drawer for two of them."""
    rows = build_features(make([run(day) for day in pd.date_range("2024-01-01", periods=21, freq="2D")]))
    assert rows["training_hours_21d"].iloc[:6].isna().all()
    assert rows["training_hours_21d"].iloc[-1] == pytest.approx(7 * 11 / 21)
    assert rows["sport_sessions_21d"].iloc[-1] == pytest.approx(7 * 11 / 21)
    assert rows["training_hours_mean"].iloc[-1] == pytest.approx(7 * 21 / 41)
    assert rows["sport_sessions_mean"].iloc[-1] == pytest.approx(7 * 21 / 41)
    away = build_features(make([run(day) for day in pd.date_range("2024-01-01", periods=21)] + [run("2024-02-10")]))
    known_days = 1 + 7 + 1  # 21 January, a week that counts as rest, 10 February
    assert away["training_hours_21d"].iloc[-1] == pytest.approx(7 * 2 / known_days)
    assert away["sport_sessions_21d"].iloc[-1] == pytest.approx(7 * 2 / 21)
    assert away["training_hours_mean"].iloc[-1] == pytest.approx(7 * 22 / (21 + 7 + 1))
    assert away["sport_sessions_mean"].iloc[-1] == pytest.approx(7 * 22 / 41)


def test_sessions_are_those_of_the_series_sport(make):
    days = pd.date_range("2024-01-01", periods=21)
    rides = [run(day, sport="cycling") for day in days]
    rows = build_features(make([*rides, run("2024-01-21")], vo2max=[reading("2024-01-05", 50)]))
    assert rows["sport_sessions_21d"].iloc[-1] == pytest.approx(7 / 21)
    assert rows["training_hours_21d"].iloc[-1] == pytest.approx(7 * 22 / 21)


def test_the_last_step_of_the_readings(make):
    rows = build_features(
        make(vo2max=[reading("2024-01-01", 50), reading("2024-01-04", 52), reading("2024-01-05", 51)])
    )
    assert list(rows["reading_step"]) == [0, 0, 0, 2, -1]


def test_what_activities_told_against_the_readings(make):
    first, *others = [("2024-01-01", 50, 48.0), ("2024-01-04", 52, None), ("2024-01-05", 51, 52.0)]
    rows = build_features(make(vo2max=[reading(*first[:2], of_activity=first[2])]))
    assert list(rows["reading_activity_gap"]) == list(rows["reading_activity_gap_mean"]) == [-2]
    rows = build_features(make(vo2max=[reading(day, value, of_activity=told) for day, value, told in (first, *others)]))
    assert list(rows["reading_activity_gap"]) == [-2, -2, -2, -2, 1]
    assert list(rows["reading_activity_gap_mean"]) == pytest.approx([-2, -2, -2, -2, -1])
    assert (build_features(make(vo2max=[reading("2024-01-04", 52)]))["reading_activity_gap"] == 0).all()


def test_load_sources(make):
    days = pd.date_range("2024-01-01", periods=10)
    trimp = build_features(make([run(day, None, avg_hr_bpm=144.0, max_hr_bpm=180.0) for day in days])).iloc[-1]
    r = (144 - 60) / (180 - 60)
    assert trimp["load_42d"] == pytest.approx(60 * r * 0.64 * np.exp(1.92 * r))
    assert trimp["load_trimp_share"] == pytest.approx(1)
    guessed = build_features(make([run(day, None) for day in days])).iloc[-1]
    assert guessed["load_42d"] == pytest.approx(80)
    assert guessed["load_trimp_share"] == guessed["load_measured_share"] == 0


def test_a_multisport_parent_does_not_count_beside_its_legs(make):
    legs = [run("2024-01-01", 50.0, activity_id="leg", parent_id="parent")]
    parent = run("2024-01-01", 90.0, activity_id="parent")
    rows = build_features(make([parent, *legs, *(run(day, 0.0) for day in pd.date_range("2024-01-02", periods=9))]))
    assert rows["load_mean"].iloc[-1] == pytest.approx(5)


def test_resting_heart_rate_against_its_own_two_months(make):
    days = pd.date_range("2024-01-01", periods=60)
    body = [{"day": day, "resting_hr_bpm": 50.0 if index < 53 else 57.0} for index, day in enumerate(days)]
    last = build_features(make([run("2024-01-01")], body)).iloc[-1]
    assert last["resting_hr_7d"] == pytest.approx(57)
    assert last["resting_hr_7d_vs_60d"] == pytest.approx(57 - (53 * 50 + 7 * 57) / 60)
    assert np.isnan(last["hrv_7d"])


def test_athletes_do_not_touch_each_other():
    one, other = random_frames(1), random_frames(2)
    renamed = [frame.assign(athlete_id="y") for frame in (other.activities, other.days, other.vo2max)]
    both = type(one)(
        *(
            pd.concat(pair, ignore_index=True)
            for pair in zip((one.activities, one.days, one.vo2max), renamed, strict=True)
        )
    )
    rows = build_features(both)
    alone = build_features(one)
    pd.testing.assert_frame_equal(rows[rows["athlete_id"] == "x"].reset_index(drop=True), alone)
    assert set(rows["athlete_id"]) == {"x", "y"}
    assert all(rows[name].dtype == np.float64 for name in NAMES)
