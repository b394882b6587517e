from typing import Any

import pytest
from garmin_documents import activity, curated, known
from hypothesis import given, settings
from hypothesis import strategies as st

from include.curate.store import to_csv
from include.curate.twins import RULE


def _at(number: int, clock: str = "08:00:00", **more: Any) -> dict[str, Any]:
    return activity(number, **{"startTimeLocal": f"2025-05-01 {clock}", **more})


def _bytes(items: list[dict[str, Any]]) -> dict[str, bytes]:
    return {table: to_csv(table, frame) for table, frame in curated(items).frames().items()}


def _ids(*items: dict[str, Any]) -> list[str]:
    return sorted(row["activity_id"] for row in known(curated(list(items)).activities))


def test_an_effort_recorded_twice_is_one_row_of_what_both_tell() -> None:
    watch = _at(1, averageHR=150.0, maxHR=170.0, calories=None, vO2MaxValue=50.0)
    bike_computer = _at(2, "08:00:40", duration=3570.0, avgPower=220.0)
    tables = curated([bike_computer, watch])
    (row,) = known(tables.activities)
    assert (row["activity_id"], row["avg_hr_bpm"], row["duration_s"]) == ("1", 150.0, 3600.0)
    assert (row["avg_power_w"], row["energy_kcal"]) == (220.0, 600.0)
    assert tables.mends == {RULE: 1}
    assert len(tables.vo2max) == 1


def test_of_two_that_tell_equally_much_the_older_id_is_kept() -> None:
    assert _ids(_at(10), _at(9)) == ["9"]


def test_three_records_are_one_effort() -> None:
    tables = curated([_at(1), _at(2, "08:00:30", averageHR=140.0), _at(3, "08:00:50")])
    assert [row["activity_id"] for row in known(tables.activities)] == ["2"]
    assert tables.mends == {RULE: 2}


@pytest.mark.parametrize(
    "other",
    [
        _at(2, "09:00:00"),
        _at(2, "08:31:00"),
        _at(2, duration=None),
        _at(2, duration=0.0),
        _at(2, startTimeLocal=None, startTimeGMT=None),
        activity(2, day="2025-05-02"),
        _at(2, startTimeLocal="2023-05-01 08:00:00", startTimeGMT="2025-05-01 06:00:00"),
    ],
)
def test_other_efforts_stay(other: dict[str, Any]) -> None:
    assert _ids(_at(1), other) == ["1", "2"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(_at(2, "08:04:00"), id="started four minutes later"),
        pytest.param(_at(2, duration=2900.0, elapsedDuration=3650.0), id="pauses by itself"),
        pytest.param(_at(2, "08:10:00", duration=2400.0), id="a part of the effort"),
        pytest.param(
            _at(2, duration=1200.0, elapsedDuration=3600.0), id="stopped for most of it, and started and ended together"
        ),
        pytest.param(_at(2, duration=None, movingDuration=3300.0), id="tells the time in motion alone"),
    ],
)
def test_an_effort_on_two_devices_that_pause_apart_is_one(other: dict[str, Any]) -> None:
    whole = _at(1, elapsedDuration=3700.0, activityTrainingLoad=110.0)
    (row,) = known(curated([other | {"activityTrainingLoad": 100.0}, whole]).activities)
    assert (row["activity_id"], row["training_load"]) == ("1", 110.0)


@pytest.mark.parametrize(
    ("sport", "other_sport", "kept"),
    [
        ("trail_running", "hiking", "running"),
        ("treadmill_running", "indoor_cardio", "running"),
        ("indoor_cardio", "cycling", "cycling"),
    ],
)
def test_two_devices_that_name_the_sport_differently_recorded_one_effort(
    sport: str, other_sport: str, kept: str
) -> None:
    loads = {"activityTrainingLoad": 110.0}
    tables = curated([_at(1, sport=sport, **loads), _at(2, "08:00:02", sport=other_sport, **loads)])
    assert [(row["sport"], row["training_load"]) for row in known(tables.activities)] == [(kept, 110.0)]
    assert tables.mends == {RULE: 1}


def test_what_another_sport_says_of_its_own_is_not_filled_in() -> None:
    run, ride = (
        _at(1, averageHR=150.0, maxHR=170.0),
        _at(2, sport="cycling", vO2MaxValue=54.0, avgPower=200.0, averageHR=None),
    )
    tables = curated([run | {"deviceId": 5, "activityTrainingLoad": 90.0, "aerobicTrainingEffect": 3.0}, ride])
    (row,) = known(tables.activities)
    assert (row["sport"], "avg_power_w" in row, len(tables.vo2max)) == ("running", False, 0)


def test_of_a_part_and_the_whole_the_whole_is_kept_and_takes_what_only_the_part_tells() -> None:
    whole, part = _at(1, duration=10_800.0), _at(2, "08:20:00", averageHR=150.0, maxHR=170.0, activityTrainingLoad=80.0)
    (row,) = known(curated([whole, part]).activities)
    assert (row["activity_id"], row["duration_s"], row["training_load"]) == ("1", 10_800.0, 80.0)


def test_what_lies_in_the_pause_of_an_activity_that_was_put_aside_is_another_effort() -> None:
    assert _ids(_at(1, duration=3600.0, elapsedDuration=36_000.0), _at(2, "10:00:00", duration=1800.0)) == ["1", "2"]


@pytest.mark.parametrize("duration", [1500.0, 1520.0])
def test_two_that_were_typed_in_with_the_same_hour_are_two(duration: float) -> None:
    one, other = (_at(number, duration=1500.0, manualActivity=True) for number in (1, 2))
    assert _ids(one, other | {"duration": duration}) == ["1", "2"]


def test_what_was_typed_in_is_a_recorded_effort_only_when_start_length_and_sport_agree() -> None:
    recorded = _at(1, averageHR=150.0)
    assert _ids(recorded, _at(2, duration=3570.0, manualActivity=True)) == ["1"]
    assert _ids(recorded, _at(2, duration=2400.0, manualActivity=True)) == ["1", "2"]
    assert _ids(recorded, _at(2, "08:05:00", manualActivity=True)) == ["1", "2"]
    assert _ids(recorded, _at(2, sport="cycling", manualActivity=True)) == ["1", "2"]
    assert _ids(recorded, _at(2, sport="cycling", isManualActivity=True)) == ["1", "2"]


def test_a_short_piece_after_a_short_piece_is_another_effort() -> None:
    assert _ids(_at(1, duration=30.0), _at(2, "08:00:30", duration=30.0)) == ["1", "2"]


def test_devices_set_to_different_zones_are_compared_in_utc() -> None:
    utc = {"startTimeGMT": "2025-05-01 06:00:00"}
    assert _ids(_at(1, **utc), _at(2, "06:00:20", **utc)) == ["1"]
    assert _ids(_at(1, **utc), _at(2, startTimeGMT="2025-05-01 15:00:00")) == ["1", "2"]


def test_without_utc_the_wall_clock_has_to_do() -> None:
    assert _ids(_at(1, startTimeGMT=None), _at(2)) == ["2"]


def test_legs_and_parents_are_twins_of_nothing_of_their_own() -> None:
    parent = _at(100, activityType={"typeKey": "multi_sport"}, isMultiSportParent=True, duration=7200.0)
    legs = [_at(101, parentId=100), _at(102, "08:00:30", parentId=100)]
    assert _ids(parent, *legs) == ["101", "102"]


def test_a_multisport_activity_on_two_devices_is_one() -> None:
    def recorded(first: int) -> list[dict[str, Any]]:
        parent = _at(first, activityType={"typeKey": "multi_sport"}, isMultiSportParent=True, duration=7200.0)
        ride = _at(first + 2, "09:00:10", parentId=first, activityType={"typeKey": "cycling"})
        return [parent, _at(first + 1, parentId=first), ride]

    tables = curated([*recorded(100), *recorded(200)])
    assert tables.activities["activity_id"].tolist() == ["101", "102"]
    assert tables.mends == {RULE: 1, "multisport_parent_left_out": 1}


def test_a_leg_recorded_by_another_device_as_well_is_kept_as_leg() -> None:
    parent = _at(100, activityType={"typeKey": "multi_sport"}, isMultiSportParent=True, duration=7200.0)
    legs = [_at(101, parentId=100), _at(102, "09:00:10", parentId=100, activityType={"typeKey": "cycling"})]
    computer = _at(7, "09:00:05", activityType={"typeKey": "cycling"}, avgPower=200.0, averageHR=150.0)
    tables = curated([parent, *legs, computer])
    rows = {row["activity_id"]: row for row in known(tables.activities)}
    assert rows.keys() == {"101", "102"}
    assert rows["102"]["avg_power_w"] == 200.0
    assert tables.mends == {RULE: 1, "multisport_parent_left_out": 1}


def test_of_two_in_different_months_the_earlier_stays_as_it_is() -> None:
    april = _at(1, startTimeLocal="2025-04-30 23:59:40")
    may = _at(2, startTimeLocal="2025-05-01 00:00:10", averageHR=150.0, avgPower=200.0)
    assert known(curated([april, may]).activities) == known(curated([april]).activities)


MINUTES = st.integers(0, 90)
RECORDS = st.builds(
    lambda minute, length, pause, sport, typed, load: (minute, length, pause, sport, typed, load),
    MINUTES,
    st.integers(1, 90),
    st.integers(0, 60),
    st.sampled_from(["running", "cycling", "hiking", "indoor_cardio"]),
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 200)),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(RECORDS, min_size=2, max_size=7), st.randoms(use_true_random=False))
def test_order_and_repeats_never_change_which_efforts_there_are(records: list[Any], chance: Any) -> None:
    items = [
        _at(
            number,
            f"{8 + minute // 60:02d}:{minute % 60:02d}:00",
            sport=sport,
            duration=60.0 * length,
            elapsedDuration=60.0 * (length + pause),
            manualActivity=typed,
            activityTrainingLoad=load,
        )
        for number, (minute, length, pause, sport, typed, load) in enumerate(records, 1)
    ]
    again = [*items, *chance.sample(items, len(items) // 2)]
    chance.shuffle(again)
    assert _bytes(again) == _bytes(items)
