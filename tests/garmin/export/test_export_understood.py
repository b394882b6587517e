"""What is tolerated of an export whose names and shapes changed, and what is said when nothing of it is understood."""

import json
from pathlib import Path
from typing import Any

import pytest

from include.garmin import RawDocument, SourceError
from include.garmin.export import ExportSource
from tests.curate.garmin_documents import curated
from tests.garmin.export.builder import Account, members, write_folder, zip_of

FITNESS = "DI_CONNECT/DI-Connect-Fitness"
ACTIVITIES = f"{FITNESS}/ann_0_summarizedActivities.json"
LATER_ACTIVITIES = f"{FITNESS}/ann_1000_summarizedActivities.json"
NIGHTS = "DI_CONNECT/DI-Connect-Wellness/2024_1_sleepData.json"


def _runs(first: int = 1, count: int = 3) -> list[dict[str, Any]]:
    return [
        {
            "activityId": number,
            "activityType": "running",
            "startTimeLocal": 1_714_550_400_000.0 + number * 86_400_000,
            "duration": 1_800_000.0,
            "distance": 500_000.0,
            "name": f"run {number}",
        }
        for number in range(first, first + count)
    ]


def _fetched(path: Path) -> tuple[list[RawDocument], str | None]:
    """What an export hands out, and the error behind the last document."""
    documents: list[RawDocument] = []
    try:
        documents.extend(ExportSource(str(path)).fetch(path.stem, None, None))
    except SourceError as error:
        return documents, str(error)
    return documents, None


def _ids(documents: list[RawDocument]) -> list[str]:
    bodies = [each.body for each in documents if each.unreadable is None]
    return sorted(curated(*bodies).activities["activity_id"])


@pytest.mark.parametrize(
    "value",
    [
        {"summarizedActivitiesExport": _runs()},
        [{"exportVersion": 2, "account": {"id": 1}, "summarizedActivitiesExport": _runs()}],
        _runs(),
        [{"summarizedActivitiesExport": _runs(1, 1)}, {"summarizedActivitiesExport": _runs(2, 2)}],
    ],
    ids=["no list around it", "more keys", "bare", "two"],
)
def test_activities_are_read_in_every_envelope(tmp_path: Path, value: Any) -> None:
    documents, error = _fetched(zip_of(tmp_path / "ann.zip", {ACTIVITIES: json.dumps(value)}))
    assert error is None and _ids(documents) == ["1", "2", "3"]


@pytest.mark.parametrize("suffix", [" (1)", "(2)", " - Copy"])
def test_a_member_that_was_saved_twice_is_known_again(tmp_path: Path, suffix: str) -> None:
    path = ACTIVITIES.replace(".json", f"{suffix}.json")
    body = json.dumps([{"summarizedActivitiesExport": _runs()}])
    documents, error = _fetched(zip_of(tmp_path / "ann.zip", {path: body}))
    assert error is None and _ids(documents) == ["1", "2", "3"]


@pytest.mark.parametrize("is_unpacked", [False, True])
def test_an_export_of_which_no_name_is_known_is_refused_with_the_names(tmp_path: Path, is_unpacked: bool) -> None:
    renamed = {f"{FITNESS}/activities-{number}.json": "[]" for number in range(7)}
    path = tmp_path / "ann" if is_unpacked else zip_of(tmp_path / "ann.zip", renamed)
    for name, body in renamed.items() if is_unpacked else ():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(body)
    documents, error = _fetched(path)
    assert documents == [] and error is not None
    assert "none of its files is known: found 'activities-0.json', 'activities-1.json'" in error
    assert "and 2 more; expected" in error and "_summarizedActivities.json" in error


def test_a_damaged_text_costs_no_item_and_a_damaged_item_is_told(tmp_path: Path) -> None:
    body = json.dumps([{"summarizedActivitiesExport": _runs(1, 5)}])
    body = body.replace("run 2", "run\t2").replace('"run 4"', '"run 4')
    documents, error = _fetched(zip_of(tmp_path / "ann.zip", {ACTIVITIES: body}))
    assert error is None and _ids(documents) == ["1", "2", "3", "5"]
    (bad,) = [each for each in documents if each.unreadable]
    assert bad.unreadable is not None and "ann_0_summarizedActivities.json' is not JSON" in bad.unreadable
    assert "run 4" in bad.body.decode()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([{"activities": [{"id": 1}]}], "holds objects with 'activities'"),
        ([{"summarizedActivitiesExport": [{"id": 1, "when": "today"}]}], "holds objects with 'id', 'when'"),
        ([{"summarizedActivitiesExport": [1, 2]}], "holds int for objects"),
        ({"summarizedActivitiesExport": {"1": {}}}, "is not JSON of the known shape: expected"),
        ("activities", "is not JSON of the known shape: expected"),
    ],
)
def test_activities_that_are_not_understood_end_with_what_was_found_and_expected(
    tmp_path: Path, value: Any, found: str
) -> None:
    nights = json.dumps([{"calendarDate": "2024-05-01", "deepSleepSeconds": 60}])
    documents, error = _fetched(zip_of(tmp_path / "ann.zip", {ACTIVITIES: json.dumps(value), NIGHTS: nights}))
    assert "sleep-2024" in [each.name for each in documents], "what was understood is kept"
    assert error is not None and f"activities: 'ann_0_summarizedActivities.json' {found}" in error
    assert (
        "expected [{summarizedActivitiesExport: [{startTimeLocal or startTimeGmt or beginTimestamp: …}, …]}]" in error
    )


def test_every_family_of_which_nothing_is_understood_is_named(tmp_path: Path) -> None:
    renamed = {
        path: json.dumps([{"date_of": 1}] * len(items)) for path, items in members(Account(days=5, activities=2))
    }
    _, error = _fetched(zip_of(tmp_path / "ann.zip", renamed))
    assert error is not None
    for name in ("activities", "days", "sleep", "health_status", "weight", "max_met", "activity_vo2max"):
        assert f"nothing could be read of its {name}: " in error
    assert "expected [{metaData.calendarDate: …}, …]" in error


@pytest.mark.parametrize("empty", ["", "[]", '[{"summarizedActivitiesExport": []}]', "{}"])
def test_an_empty_part_beside_a_good_one_is_no_failure(tmp_path: Path, empty: str) -> None:
    good = json.dumps([{"summarizedActivitiesExport": _runs()}])
    documents, error = _fetched(zip_of(tmp_path / "ann.zip", {ACTIVITIES: good, LATER_ACTIVITIES: empty}))
    assert error is None and _ids(documents) == ["1", "2", "3"]


def test_an_account_without_activities_is_no_failure_of_its_export(tmp_path: Path) -> None:
    empty = {ACTIVITIES: '[{"summarizedActivitiesExport": []}]', NIGHTS: "[]"}
    assert _fetched(zip_of(tmp_path / "ann.zip", empty)) == ([], None)


def test_an_unpacked_export_is_understood(tmp_path: Path) -> None:
    _, error = _fetched(write_folder(tmp_path / "ann", Account(days=10, activities=3, layout="2022")))
    assert error is None


@pytest.mark.parametrize("root", ["a/b/DI_CONNECT", "./DI_CONNECT", "/DI_CONNECT", "", "../DI_CONNECT"])
def test_a_zip_packed_again_by_hand_is_refused_clearly(tmp_path: Path, root: str) -> None:
    path = f"{root}/DI-Connect-Fitness/ann_0_summarizedActivities.json"
    _, error = _fetched(zip_of(tmp_path / "ann.zip", {path: "[]"}))
    assert error is not None and "holds no folder DI_CONNECT; an account export is the zip that Garmin sends" in error


def test_a_zip_in_a_zip_is_refused_clearly(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner.zip", {ACTIVITIES: "[]"}).read_bytes()
    _, error = _fetched(zip_of(tmp_path / "ann.zip", {"inner.zip": inner}))
    assert error is not None and "holds no folder DI_CONNECT" in error
