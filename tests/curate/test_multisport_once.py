from garmin_documents import activity, curated, known


def _triathlon(legs: tuple[float, ...], **of_legs: object) -> list[dict]:
    parent = activity(100, "multi_sport", duration=7200.0, isMultiSportParent=True)
    starts = ("08:00:00", "08:40:00", "09:20:00")
    children = [
        activity(101 + number, sport, duration=seconds, startTimeLocal=f"2025-05-01 {start}", **of_legs)
        for number, (sport, seconds, start) in enumerate(
            zip(("lap_swimming", "cycling", "running"), legs, starts, strict=False)
        )
    ]
    return [parent, *children]


def test_a_parent_whose_legs_are_all_there_is_left_out() -> None:
    tables = curated(_triathlon((2300.0, 2300.0, 2300.0), parentId=100))
    assert [(row["activity_id"], row["parent_id"]) for row in known(tables.activities)] == [
        ("101", "100"),
        ("102", "100"),
        ("103", "100"),
    ]
    assert tables.mends == {"multisport_parent_left_out": 1}


def test_legs_without_their_parents_id_are_found_by_time() -> None:
    tables = curated(_triathlon((2300.0, 2300.0, 2300.0)))
    assert [row["parent_id"] for row in known(tables.activities)] == ["100"] * 3


def test_a_parent_some_of_whose_legs_are_missing_stands_for_them() -> None:
    tables = curated(_triathlon((2300.0,), parentId=100))
    (row,) = known(tables.activities)
    assert (row["activity_id"], row["sport"]) == ("100", "multisport")
    assert tables.mends == {"multisport_leg_left_out": 1}


def test_a_parent_alone_is_kept_as_multisport_whatever_its_type() -> None:
    (row,) = known(curated([activity(1, "other", parent=True)]).activities)
    assert row["sport"] == "multisport"


def test_an_activity_outside_the_parents_time_is_no_leg() -> None:
    items = [*_triathlon((2300.0, 2300.0, 2300.0)), activity(7, startTimeLocal="2025-05-01 18:00:00")]
    (row,) = [row for row in known(curated(items).activities) if row["activity_id"] == "7"]
    assert "parent_id" not in row


def test_an_activity_without_length_or_start_is_no_leg() -> None:
    items = [*_triathlon(()), activity(7, duration=None), activity(8, startTimeLocal=None, startTimeGMT=None)]
    assert sorted(row["activity_id"] for row in known(curated(items).activities)) == ["100", "7", "8"]


def test_a_leg_whose_parent_was_never_seen_is_kept() -> None:
    tables = curated([activity(1, parentId=99)])
    assert [row["parent_id"] for row in known(tables.activities)] == ["99"] and not tables.mends


def test_activities_without_a_clock_in_common_are_not_compared() -> None:
    parent = activity(100, "multi_sport", duration=7200.0, isMultiSportParent=True, startTimeLocal=None)
    parent["startTimeGMT"] = "2025-05-01 06:00:00"
    tables = curated([parent, activity(1, startTimeGMT=None)])
    assert sorted(row["activity_id"] for row in known(tables.activities)) == ["1", "100"]


def test_a_parent_without_start_has_no_legs_and_is_kept() -> None:
    parent = activity(100, "multi_sport", isMultiSportParent=True, startTimeLocal=None, startTimeGMT=None)
    assert len(curated([parent, activity(1, parentId=100)]).activities) == 2


def test_a_leg_far_from_its_parent_is_not_judged_by_it() -> None:
    parent = activity(100, "multi_sport", isMultiSportParent=True)
    tables = curated([parent, activity(1, day="2025-05-09", parentId=100)])
    assert len(tables.activities) == 2 and not tables.mends
