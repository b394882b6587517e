"""What a source newly holds, no longer holds or dates anew reaches the tables, whatever days a run is about."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.curate import RowsLost, curate
from include.garmin.document import RawDocument
from include.garmin.fetching import read_files
from include.garmin.pending import read_pending
from include.garmin.raw import read_raw
from tests.ingest.athlete_files import Home, Json, run_of, runs_of

SECOND_OF_JULY = date(2026, 7, 2)


@pytest.fixture
def home(s3: Any, bucket: str, tmp_path: Path) -> Home:
    return Home(s3, bucket, tmp_path)


def test_a_file_in_place_of_an_older_one_leaves_no_hole(home: Home) -> None:
    months = [runs_of(f"2026-0{month}-01", 20, 100 * month) for month in (1, 2, 3, 4)]
    home.give("ann", months[0])
    home.load(date(2026, 1, 31))
    home.give("ann", [run for month in months for run in month])
    for day in (21, 22):
        assert home.daily(date(2026, 4, day)).failures == []
        assert home.months("ann") == {f"2026-0{month}": 20 for month in (1, 2, 3, 4)}


@pytest.mark.parametrize("form", ["none", "partly", "milliseconds", "offset"])
def test_a_document_is_read_by_every_run_whatever_form_its_dates_have(home: Home, form: str) -> None:
    runs = runs_of("2026-06-01", 12)
    for number, run in enumerate(runs):
        if form == "none" or (form == "partly" and number % 2):
            run["startTimeLocal"] = None
        if form == "milliseconds":
            run |= {"startTimeLocal": None, "startTimeGMT": None, "beginTimestamp": 1780291800000 + number * 86_400_000}
        if form == "offset":
            run["startTimeLocal"] = run["startTimeLocal"].replace(" ", "T") + "+00:00"
    home.give("ann", runs)
    home.load(date(2026, 6, 30))
    for _ in range(2):
        assert (home.months("ann"), home.months("ann", "vo2max")) == ({"2026-06": 12}, {"2026-06": 12})
        home.daily(SECOND_OF_JULY)


def test_an_activity_whose_date_is_corrected_across_a_month_is_there_once(home: Home) -> None:
    runs = runs_of("2026-03-02", 10)
    home.give("ann", [*runs, run_of(7, "2026-03-31 23:50:00", 55.0)])
    home.load(date(2026, 4, 2))
    for moved, months in (("2026-04-01 00:20:00", (10, 2)), ("2026-03-31 22:00:00", (11, 1))):
        home.give("ann", [*runs, run_of(7, moved, 55.0), run_of(8, "2026-04-18 08:00:00")])
        home.daily(date(2026, 4, 20))
        expected = {"2026-03": months[0], "2026-04": months[1]}
        assert (home.months("ann"), home.months("ann", "vo2max")) == (expected, expected)
        readings = home.tables("ann").vo2max
        assert [str(day)[:10] for day in readings[readings["vo2max"] == 55.0]["day"]] == [moved[:10]]


def test_what_a_newer_file_no_longer_holds_is_gone_and_raw_keeps_it(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    runs = runs_of("2026-03-01", 6, every_days=3)
    drive = run_of(9, "2026-03-10 17:00:00", None, distance=120_000.0, duration=5400.0)
    home.give("ann", [*runs, drive])
    home.load(date(2026, 3, 17))
    home.give("ann", runs)
    with caplog.at_level(logging.INFO, "include.ingest.report"):
        home.daily(date(2026, 3, 18))
    assert "9" not in set(home.tables("ann").activities["activity_id"])
    assert "'no_longer_listed_left_out': 1" in caplog.text
    home.load(date(2026, 3, 19), reads_files=False)
    assert home.months("ann") == {"2026-03": 6}, "a rebuild from raw gives the same"
    assert len(home.keys("raw/athlete_id=ann/activity_list/2026/03/16/")) == 2
    home.give("ann", [*runs, drive])
    home.daily(date(2026, 3, 20))
    assert home.months("ann") == {"2026-03": 7}, "it came back"


def test_a_file_of_the_last_weeks_says_nothing_of_the_time_before(home: Home) -> None:
    runs = runs_of("2026-01-01", 80)
    home.give("ann", runs)
    home.load(date(2026, 3, 21))
    home.give("ann", runs[40:])
    home.daily(date(2026, 3, 22))
    assert sum(home.months("ann").values()) == 80


def test_an_older_file_put_back_says_nothing_of_the_time_after(home: Home) -> None:
    runs = runs_of("2026-01-01", 80)
    home.give("ann", runs)
    home.load(date(2026, 3, 21))
    home.give("ann", runs[:40])
    home.daily(date(2026, 3, 22))
    assert sum(home.months("ann").values()) == 80


def test_a_month_that_would_lose_most_of_its_rows_stops_until_it_is_allowed(home: Home) -> None:
    runs = runs_of("2026-05-01", 60)
    home.give("ann", runs)
    home.load(SECOND_OF_JULY)
    home.give("ann", [*runs[:2], *runs[30:]])
    report = home.daily(SECOND_OF_JULY + timedelta(days=1))
    [failure] = report.failures
    assert isinstance(failure.error, RowsLost)
    assert "ann: activities of 2026-05 would fall from 31 rows to 3, so nothing was changed" in str(failure.error)
    assert "accept_fewer" in str(failure.error)
    assert home.months("ann") == {"2026-05": 31, "2026-06": 29}
    assert home.load(SECOND_OF_JULY + timedelta(days=2), accept_fewer=True).failures == []
    assert home.months("ann") == {"2026-05": 3, "2026-06": 29}


def test_a_run_that_broke_off_before_the_tables_is_made_up_for_by_the_next(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = runs_of("2026-01-01", 60)
    home.give("ann", runs[:10])
    home.load(date(2026, 1, 12))
    home.give("ann", runs)
    with monkeypatch.context() as patched:
        patched.setattr("include.ingest.batch.curate_athlete", lambda *_, **__: (_ for _ in ()).throw(OSError("gone")))
        assert [failure.step for failure in home.daily(date(2026, 3, 2)).failures] == ["curate"]
    assert read_pending(home.s3, home.bucket, "ann") == date(2026, 1, 1)
    home.daily(date(2026, 3, 3))
    assert sum(home.months("ann").values()) == 60
    assert read_pending(home.s3, home.bucket, "ann") is None


def test_an_export_with_a_damaged_member_deletes_nothing(home: Home) -> None:
    """What could not be read may hold what is missing."""
    runs = runs_of("2026-03-01", 6, every_days=3)
    source = Exports([RawDocument("export", date(2026, 3, 16), "activities-2026q1", body(runs))])
    read_files(home.s3, home.bucket, source, "ann", datetime(2026, 3, 17, tzinfo=UTC), "export")
    damaged = RawDocument("export", date(1970, 1, 1), "unreadable", b"broken", unreadable="broken")
    source = Exports([RawDocument("export", date(2026, 3, 16), "activities-2026q1", body(runs[3:])), damaged])
    read_files(home.s3, home.bucket, source, "ann", datetime(2026, 3, 18, tzinfo=UTC), "export")
    assert len(curate(read_raw(home.s3, home.bucket, "ann")).activities) == 6


class Exports:
    """A source that hands out these documents."""

    def __init__(self, documents: list[RawDocument]) -> None:
        self.documents = documents

    def athletes(self) -> list[str]:
        return ["ann"]

    def fetch(self, *_: Any) -> Iterator[RawDocument]:
        return iter(self.documents)


def body(runs: list[Json]) -> bytes:
    return json.dumps(runs).encode()
