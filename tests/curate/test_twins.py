from typing import Any

import pytest
from garmin_documents import activity, curated, known

from include.curate.twins import RULE


def _at(number: int, clock: str = "08:00:00", **more: Any) -> dict[str, Any]:
    return activity(number, **{"startTimeLocal": f"2025-05-01 {clock}", **more})


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
        _at(2, "08:01:01"),
        _at(2, duration=3600 * 1.03),
        _at(2, duration=None),
        _at(2, duration=0.0),
        _at(2, activityType={"typeKey": "cycling"}),
        _at(2, startTimeLocal=None, startTimeGMT=None),
        activity(2, day="2025-05-02"),
        _at(2, startTimeLocal="2023-05-01 08:00:00", startTimeGMT="2025-05-01 06:00:00"),
    ],
)
def test_other_efforts_stay(other: dict[str, Any]) -> None:
    assert _ids(_at(1), other) == ["1", "2"]


def test_a_short_piece_after_a_short_piece_is_another_effort() -> None:
    assert _ids(_at(1, duration=30.0), _at(2, "08:00:30", duration=30.0)) == ["1", "2"]


def test_of_long_efforts_the_lengths_may_differ_by_two_in_a_hundred() -> None:
    assert _ids(_at(1, duration=36_000.0), _at(2, duration=36_700.0)) == ["1"]


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
