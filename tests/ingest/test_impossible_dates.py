"""A clock that was never set costs the athlete one run, and the others nothing."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from include.curate import curate
from include.features.build import build_features
from include.features.schema import EVENT_TIME
from include.features.store import read_offline
from include.garmin.document import RawDocument
from include.garmin.raw import read_raw, write_raw
from tests.curate.garmin_documents import curated
from tests.ingest.athlete_files import STORE, Home, Json, run_of, runs_of

TODAY = date(2026, 8, 30)
RUNS = runs_of("2026-05-01", 40, every_days=3)
NEVER_SET = run_of(1, "1989-12-31 00:00:06", None)
AHEAD = run_of(2, "2126-02-06 06:28:15", 31.0)
ROLLED_OVER = run_of(3, "2006-12-19 07:00:00", 44.0)
"""A receiver that counts weeks from the last time they began anew is 1024 weeks behind."""


@pytest.fixture
def home(s3: Any, bucket: str, tmp_path: Path) -> Home:
    return Home(s3, bucket, tmp_path)


def offline(home: Home) -> pd.DataFrame:
    """The rows that a dataset of a hundred years later would find."""
    paths = []
    for number, key in enumerate(home.keys(STORE.prefix)):
        paths.append(home.folder.parent / f"{number}.parquet")
        paths[-1].write_bytes(home.s3.get_object(Bucket=home.bucket, Key=key)["Body"].read())
    return read_offline(paths, pd.Timestamp("2130-01-01", tz="UTC").to_pydatetime())


def test_six_athletes_of_whom_three_have_an_impossible_date_get_what_they_would_without_it(home: Home) -> None:
    given: dict[str, list[Json]] = {
        "a": [],
        "b": [NEVER_SET],
        "c": [AHEAD],
        "d": [NEVER_SET],
        "e": [],
        "f": [ROLLED_OVER],
    }
    for number, (athlete, impossible) in enumerate(given.items()):
        home.give(athlete, [{**run, "activityId": run["activityId"] + 1000 * number} for run in (*impossible, *RUNS)])
    report = home.load(TODAY)
    assert (report.done, report.failures) == (list(given), [])
    written = home.write(TODAY)
    wanted = build_features(home.tables("a"))
    assert written.rows == 6 * len(wanted) == 6 * 118, "no athlete costs more rows, which is what takes the time"
    for athlete in given:
        tables = home.tables(athlete)
        assert (len(tables.activities), len(tables.vo2max)) == (40, 40)
        pd.testing.assert_frame_equal(build_features(tables).assign(athlete_id="a"), wanted)
        assert home.online.records[athlete]["event_time"] == "2026-08-26T00:00:00Z"
    assert "date 1989-12-31 is before 2000-01-01" in home.quarantined("activities", "d")
    assert "date 2126-02-06 is after the day on which it was fetched, 2026-08-30" in home.quarantined("activities", "c")
    assert "date 2006-12-19 stands alone" in home.quarantined("activities", "f")
    assert home.quarantined("activities", "a") == ""


def test_a_daily_run_keeps_the_rejected_row_of_a_day_to_come_in_quarantine(home: Home) -> None:
    home.give("ann", [AHEAD, *RUNS])
    home.load(TODAY)
    home.daily(date(2026, 8, 31))
    assert "2126-02-06" in home.quarantined("activities", "ann")
    assert sum(home.months("ann").values()) == 40


@pytest.mark.parametrize(
    ("document", "table"),
    [
        ({"calendarDate": "2126-02-06", "restingHeartRate": 48}, "days"),
        ({"calendarDate": "1989-12-31", "sleepTimeSeconds": 28_000, "deepSleepSeconds": 1}, "days"),
        ([{"generic": {"calendarDate": "2126-02-06", "vo2MaxPreciseValue": 31.2}}], "vo2max"),
        ({"maxMet": 14.0, "sport": "RUNNING", "calendarDate": "1999-08-22"}, "vo2max"),
        ({"summarizedActivitiesExport": [{"activityId": 5, "startTimeLocal": 4_926_000_000_000}]}, "activities"),
        ({"activityId": 5, "fitSession": {"sport": "running", "started_at_utc": "1989-12-31T00:00:06"}}, "activities"),
        ({"activityId": 5, "summaryDTO": {"startTimeLocal": "2126-02-06T06:28:15.0"}}, "activities"),
    ],
)
def test_no_source_and_no_shape_brings_an_impossible_date_into_the_tables(
    home: Home, document: Any, table: str
) -> None:
    now = pd.Timestamp("2026-08-30T06:00:00", tz="UTC").to_pydatetime()
    raw = RawDocument("export", TODAY, "d", json.dumps(document).encode())
    write_raw(home.s3, home.bucket, "ann", [raw], now)
    tables = curate(read_raw(home.s3, home.bucket, "ann"))
    assert all(frame.empty for frame in tables.frames().values())
    assert tables.mends == {"impossible_date_left_out": 1}
    assert tables.evidence is not None
    [rejected] = tables.evidence.left_out[table].to_dict("records")
    assert rejected["reason"].startswith(f"date {rejected['day']:%Y-%m-%d} ")


def test_the_clock_that_can_be_right_gives_the_day() -> None:
    utc_only = curated([{**run_of(1, "2025-05-01 08:00:00"), "startTimeGMT": "1989-12-31 00:00:00"}])
    assert str(utc_only.activities["day"][0])[:10] == "2025-05-01"
    assert utc_only.activities["started_at_utc"].isna().all()
    local = curated([{**run_of(1, "1989-12-31 00:00:00"), "startTimeGMT": "2025-05-01 06:00:00"}])
    assert str(local.activities["day"][0])[:10] == "2025-05-01"


def test_a_break_of_years_in_a_real_history_leaves_nothing_out(home: Home) -> None:
    home.give("ann", [*runs_of("2012-05-01", 20, 500), *RUNS])
    home.load(TODAY)
    assert sum(home.months("ann").values()) == 60


def test_what_an_impossible_date_left_behind_is_taken_back_by_a_rebuild(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the feature group stood when dates were not looked at: rows to 2126, and the newest of them served."""
    with monkeypatch.context() as before:
        before.setattr("include.curate.plausible.why_impossible", lambda *_: None)
        before.setattr("include.curate.plausible.days_alone", lambda _days: {})
        before.setattr("include.ingest.write_features.DAYS_AHEAD", 36_600)
        home.give("ann", [*RUNS, run_of(2, "2027-02-06 06:28:15", 31.0), run_of(3, "2022-12-19 07:00:00")])
        home.load(TODAY)
        home.write(TODAY)
    assert home.online.records["ann"]["event_time"] == "2027-02-06T00:00:00Z"
    assert len(offline(home)) == 1510
    tomorrow = date(2026, 8, 31)
    assert home.load(tomorrow, reads_files=False).failures == []
    home.write(tomorrow)
    wanted = build_features(home.tables("ann"))
    assert home.online.records["ann"]["event_time"] == wanted[EVENT_TIME].iloc[-1] == "2026-08-26T00:00:00Z"
    pd.testing.assert_frame_equal(offline(home).iloc[:-1], wanted.iloc[:-1], check_dtype=False)


def test_a_row_of_a_day_to_come_is_never_put_online(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.curate.plausible.why_impossible", lambda *_: None)
    home.give("ann", [*RUNS, run_of(2, "2026-12-06 06:28:15", 31.0)])
    home.give("bob", [{**run, "activityId": run["activityId"] + 5000} for run in RUNS])
    home.load(TODAY)
    written = home.write(TODAY)
    [failure] = written.report.failures
    assert "the newest row is of 2026-12-06, which is still to come" in str(failure.error)
    assert (list(home.online.records), written.report.done) == (["bob"], ["bob"])


def test_two_exports_of_one_account_go_on_as_one_and_the_run_says_so(home: Home) -> None:
    home.give("export-1", RUNS[:20])
    home.give("export-2", RUNS)
    home.load(TODAY)
    written = home.write(TODAY)
    [failure] = written.report.failures
    assert failure.athlete_id == "export-1"
    assert "export-1 and export-2 are of one account: 20 of their activities are the same." in failure.reason
    assert list(home.online.records) == ["export-2"]
    assert set(offline(home)["athlete_id"]) == {"export-2"}
