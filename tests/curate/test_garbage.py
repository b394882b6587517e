import json
from typing import Any

import pytest
from garmin_documents import activity, curated, stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.curate import curate
from include.curate.store import from_csv, to_csv
from include.curate.tables import COLUMNS

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 10**400, 1746079200000, -(10**17)]),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["2025-05-01", "2025-05-01 08:00:00", "9999-12-31T23:59:59-23:59", "²²²²-01-01", "\ud800", "RUNNING"]
    ),
)
MARKS = [
    "summarizedActivitiesExport",
    "summaryDTO",
    "activityId",
    "activityType",
    "activityTypeDTO",
    "metadataDTO",
    "deviceMetaDataDTO",
    "dailySleepDTO",
    "hrvSummaries",
    "hrvSummary",
    "dateWeightList",
    "generic",
    "cycling",
    "maxMet",
    "vo2MaxValue",
    "vo2MaxPreciseValue",
    "cyclingVo2MaxValue",
    "sport",
    "calendarDate",
    "deepSleepSeconds",
    "lightSleepSeconds",
    "sleepTimeSeconds",
    "lastNightAvg",
    "weight",
    "date",
    "typeKey",
    "startTimeLocal",
    "startTimeGMT",
    "beginTimestamp",
    "duration",
    "distance",
    "elevationGain",
    "calories",
    "averageHR",
    "vO2MaxValue",
    "deviceId",
    "parentId",
    "parent",
    "isMultiSportParent",
    "manualActivity",
    "totalSteps",
    "restingHeartRate",
    "allDayStress",
    "aggregatorList",
    "type",
    "averageStressLevel",
    "bodyBattery",
    "bodyBatteryStatList",
    "bodyBatteryStatType",
    "statsValue",
    "updateTimestamp",
    "acuteLoad",
    "fitSession",
    "metrics",
    "metaData",
    "timestampGMT",
    "vo2max",
    "start_local",
]


def _json(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=8), max_leaves=15
    )


def _holds_something(value: Any, depth: int = 0) -> bool:
    """An element that is not just an empty list; null inside a list is no object either."""
    if isinstance(value, list) and depth < 3:
        return any(_holds_something(each, depth + 1) for each in value)
    return value is not None or depth > 0


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(_json(st.text(max_size=5)))
def test_json_of_no_known_shape_is_counted_and_gives_no_rows(value: Any) -> None:
    tables = curated(value)
    assert all(len(frame) == 0 for frame in tables.frames().values())
    assert (sum(tables.unread.values()) > 0) == _holds_something(value)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_json(st.sampled_from(MARKS)), max_size=3))
def test_known_fields_with_any_content_give_tables_that_can_be_written(values: list[Any]) -> None:
    for table, frame in curated(*values).frames().items():
        assert list(frame.columns) == list(COLUMNS[table])
        body = to_csv(table, frame)
        assert to_csv(table, from_csv(table, body)) == body


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.binary(max_size=40))
def test_bytes_that_are_no_json_are_counted(body: bytes) -> None:
    try:
        json.loads(body)
    except ValueError:
        assert curate([stored(body)]).unread == {"document that is not JSON": 1}


def test_json_nested_too_deep_to_read_is_counted() -> None:
    assert curated(b"[" * 100_000).unread == {"document that is not JSON": 1}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("distance", "10 km", "distance: not a number"),
        ("distance", True, "distance: not a number"),
        ("distance", float("nan"), "distance: not a number"),
        ("distance", 1e300, "distance: not a number"),
        ("deviceId", [1], "deviceId: not an id"),
        ("parentId", "x" * 65, "parentId: not an id"),
        ("startTimeGMT", "yesterday", "startTimeGMT: not a time"),
        ("startTimeGMT", True, "startTimeGMT: not a time"),
        ("startTimeGMT", float("inf"), "startTimeGMT: not a time"),
        ("startTimeGMT", "0900-01-01 00:00:00", "startTimeGMT: not a time"),
        ("startTimeGMT", 10**30, "startTimeGMT: not a time"),
    ],
)
def test_one_senseless_value_is_counted_and_the_others_are_kept(field: str, value: object, reason: str) -> None:
    tables = curated([activity(**{field: value})])
    assert tables.unread == {reason: 1}
    assert tables.activities["energy_kcal"].tolist() == [600.0]


@pytest.mark.parametrize(
    "value",
    [
        {"summaryDTO": {"duration": 1}},
        {"activityId": None, "activityType": {}},
        {"activityId": 0, "activityType": {}},
        {"summarizedActivitiesExport": [{"distance": 1}]},
        {"totalSteps": 1, "calendarDate": None},
        {"calendarDate": None, "deepSleepSeconds": 1},
        {"hrvSummaries": [{"lastNightAvg": 50}]},
        {"dateWeightList": [{"weight": 70_000}]},
        {"calendarDate": None, "metrics": []},
        {"metaData": {}, "weight": {"weight": 70_000}},
        {"fitSession": {"timer_s": 1}},
    ],
)
def test_an_item_without_id_or_date_is_counted(value: dict[str, Any]) -> None:
    assert curated(value).unread == {"item without id or date": 1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"summarizedActivitiesExport": "x"}, "summarizedActivitiesExport: not a list"),
        ({"summarizedActivitiesExport": [1]}, "summarizedActivitiesExport: not an object"),
        ({"hrvSummaries": {"a": 1}}, "hrvSummaries: not a list"),
        ({"generic": 50}, "generic: not an object"),
        ({"calendarDate": "2025-05-01", "bodyBattery": "full"}, "bodyBattery: not an object"),
        ({"calendarDate": "yesterday", "totalSteps": 1}, "calendarDate: not a date"),
    ],
)
def test_a_part_of_the_wrong_type_is_counted(value: dict[str, Any], reason: str) -> None:
    assert curated(value).unread[reason] == 1


def test_what_could_not_be_read_does_not_keep_the_rest_from_being_read() -> None:
    tables = curated(b"{", [1, {"x": 1}, activity()], {"calendarDate": "2025-05-01", "totalSteps": 5})
    assert (len(tables.activities), len(tables.days)) == (1, 1)
    assert tables.unread == {
        "document that is not JSON": 1,
        "object of no known shape (keys 'x')": 1,
        "value that is no object": 1,
    }
