import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from include.curate import Tables, curate
from include.garmin import RawDocument, SourceError, StoredDocument, UnknownAthlete, open_source
from include.garmin.synthetic import SyntheticSource

TODAY = date(2026, 3, 1)
FIRST = date(2025, 3, 2)
LAGS = 2


@pytest.fixture(scope="module")
def source() -> SyntheticSource:
    return SyntheticSource(TODAY, years=1)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _bodies(documents: Iterable[RawDocument]) -> dict[tuple[str, date, str], bytes]:
    return {(document.kind, document.last_day, document.name): document.body for document in documents}


def _curated(documents: Iterable[RawDocument]) -> Tables:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    return curate(
        StoredDocument(each.kind, each.last_day, each.name, each.body, "athlete", moment, f"{number:05d}")
        for number, each in enumerate(documents)
    )


def _by_day(source: SyntheticSource, athlete: str, first: date, last: date) -> list[RawDocument]:
    return [document for day in _days(first, last) for document in source.fetch(athlete, day, day)]


def _items(source: SyntheticSource, athlete: str) -> list[dict[str, Any]]:
    pages = [each for each in source.fetch(athlete, None, None) if each.kind == "activity_list"]
    return [item for page in pages for item in json.loads(page.body)]


def test_a_day_has_the_same_bytes_whatever_the_range(source: SyntheticSource) -> None:
    first, last = date(2025, 8, 20), date(2025, 9, 19)
    in_one = _bodies(source.fetch("athlete-02", first, last))
    assert in_one == _bodies(_by_day(source, "athlete-02", first, last))
    assert len(in_one) > 3 * 28


def test_a_day_has_the_same_bytes_once_it_is_synced_whatever_today_is_and_however_long_the_history(
    source: SyntheticSource,
) -> None:
    later = SyntheticSource(TODAY + timedelta(days=200), athletes=1, years=3)
    first, last = TODAY - timedelta(days=25), TODAY - timedelta(days=LAGS + 1)
    assert _bodies(source.fetch("athlete-01", first, last)) == _bodies(later.fetch("athlete-01", first, last))


def test_two_sources_of_one_seed_hand_out_the_same_bytes(source: SyntheticSource) -> None:
    again = SyntheticSource(TODAY, years=1)
    assert _bodies(source.fetch("athlete-05", None, None)) == _bodies(again.fetch("athlete-05", None, None))


@pytest.mark.parametrize("athlete", ["athlete-01", "athlete-02", "athlete-03", "athlete-08"])
def test_bulk_and_single_days_curate_to_the_same_tables(source: SyntheticSource, athlete: str) -> None:
    bulk = _curated(source.fetch(athlete, None, None)).frames()
    daily = _curated(_by_day(source, athlete, FIRST - timedelta(days=1), TODAY)).frames()
    for table, frame in bulk.items():
        assert len(frame) > 5
        pd.testing.assert_frame_equal(frame, daily[table])


def test_bulk_comes_in_pages_quarters_and_years(source: SyntheticSource) -> None:
    documents = list(source.fetch("athlete-01", None, None))
    names = [document.name for document in documents]
    assert [name for name in names if name.startswith("UDS")] == [
        f"UDSFile-{day}" for day in ("2025-03-01", "2025-04-01", "2025-07-01", "2025-10-01", "2026-01-01")
    ]
    assert [name for name in names if name.startswith("hrv")] == ["hrv-2025-03-01", "hrv-2026-01-01"]
    pages = [json.loads(document.body) for document in documents if document.kind == "activity_list"]
    assert [len(page) for page in pages[:-1]] == [100] * (len(pages) - 1)
    assert all(page == sorted(page, key=lambda item: item["startTimeLocal"], reverse=True) for page in pages)


def test_a_growing_history_leaves_full_pages_as_they_are(source: SyntheticSource) -> None:
    start = date(2025, 6, 1)
    later = SyntheticSource(TODAY + timedelta(days=60), years=2)

    def pages(of: SyntheticSource) -> list[bytes]:
        return [each.body for each in of.fetch("athlete-01", start, None) if each.kind == "activity_list"]

    full = pages(source)[:-1]
    assert full and full == pages(later)[: len(full)]


def test_late_syncs_miss_today_and_arrive_within_two_days() -> None:
    missing_today = 0
    for day in _days(date(2026, 1, 1), date(2026, 1, 20)):
        at_once = _bodies(SyntheticSource(day, athletes=3, years=1).fetch("athlete-02", day, day))
        next_day = _bodies(
            SyntheticSource(day + timedelta(days=LAGS), athletes=3, years=1).fetch("athlete-02", day, day)
        )
        settled = _bodies(SyntheticSource(day + timedelta(days=30), athletes=3, years=1).fetch("athlete-02", day, day))
        assert next_day == settled
        missing_today += at_once != settled
        summary = json.loads(at_once["day", day, day.isoformat()])
        assert summary["restingHeartRate"] is None and not summary["includesWellnessData"]
    assert missing_today > 10


def test_nothing_is_handed_out_after_today_or_before_the_first_day(source: SyntheticSource) -> None:
    assert list(source.fetch("athlete-01", TODAY + timedelta(days=1), None)) == []
    assert list(source.fetch("athlete-01", None, date(2020, 1, 1))) == []
    last_days = {document.last_day for document in source.fetch("athlete-01", date(2026, 2, 20), date(2027, 1, 1))}
    assert max(last_days) <= TODAY


def test_an_unknown_athlete_is_named_with_those_there_are(source: SyntheticSource) -> None:
    with pytest.raises(UnknownAthlete, match="no synthetic athlete 'ann'; there are athlete-01, athlete-02"):
        source.fetch("ann", None, None)


def test_a_range_turned_round_is_refused(source: SyntheticSource) -> None:
    with pytest.raises(SourceError, match="start 2026-02-02 is after end 2026-02-01"):
        source.fetch("athlete-01", date(2026, 2, 2), date(2026, 2, 1))


def test_only_rides_and_runs_carry_a_vo2max(source: SyntheticSource) -> None:
    carriers = {
        item["activityType"]["typeKey"]
        for athlete in ("athlete-02", "athlete-03")
        for item in _items(source, athlete)
        if "vO2MaxValue" in item
    }
    assert {"running", "cycling"} <= carriers
    assert all(name.endswith(("running", "cycling")) for name in carriers)


def test_an_activity_typed_in_by_hand_has_neither_heart_rate_nor_vo2max(source: SyntheticSource) -> None:
    manual = [item for item in _items(source, "athlete-02") if item["manualActivity"]]
    assert manual
    for item in manual:
        assert item["deviceId"] == 0
        assert not {"averageHR", "vO2MaxValue", "activityTrainingLoad"} & item.keys()


def test_other_sessions_start_before_work_or_after_it(source: SyntheticSource) -> None:
    hours = {
        int(item["startTimeLocal"][11:13]) for item in _items(source, "athlete-03") if item["activityId"] % 10 == 1
    }
    assert hours <= {6, 7, 8, 15, 16, 17, 18, 19}


def test_athletes_differ_in_what_their_watch_tells(source: SyntheticSource) -> None:
    tables = {athlete: _curated(source.fetch(athlete, None, None)) for athlete in source.athletes()}
    assert {bool(found.vo2max["is_precise"].any()) for found in tables.values()} == {True, False}
    assert {bool(found.activities["training_load"].notna().any()) for found in tables.values()} == {True, False}
    assert {"running", "cycling"} == set(tables["athlete-02"].vo2max["sport"])
    assert len(tables["athlete-08"].vo2max) < len(tables["athlete-01"].vo2max) / 3
    for found in tables.values():
        assert found.vo2max["vo2max"].between(25, 85).all()
        assert not found.unread and not found.mends


def test_synthetic_sources_are_opened_by_their_setting() -> None:
    assert open_source("synthetic:athletes=1,years=1", TODAY).athletes() == ["athlete-01"]
