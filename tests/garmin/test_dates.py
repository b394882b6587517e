"""Every form of a date leads to the day that the tables have, so a document is filed where it is looked for."""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest

from include.curate.fields import Fields
from include.garmin.dates import first_read_day, read_day
from include.garmin.document import NO_DAY, RawDocument
from include.garmin.raw import read_raw, write_raw


@pytest.mark.parametrize(
    "value",
    [
        "2025-05-01",
        "2025-05-01 06:30:00",
        "2025-05-01T06:30:00.0",
        "2025-05-01T06:30:00+00:00",
        1746081000000,
        1746081000000.0,
        "May 1, 2025 6:30:00 AM",
        {"date": "May 1, 2025 12:00:00 AM"},
    ],
)
def test_a_day_is_read_in_every_form_and_as_the_tables_read_it(value: object) -> None:
    assert read_day(value) == date(2025, 5, 1)
    assert Fields({"calendarDate": value}, Counter()).day() == "2025-05-01"


@pytest.mark.parametrize("value", [None, True, "", "yesterday", "2025-13-01", float("nan"), 1e300, [], {"day": 1}])
def test_what_tells_no_day_gives_none(value: object) -> None:
    assert read_day(value) is None


def test_the_first_field_that_can_be_read_decides() -> None:
    item = {"startTimeLocal": None, "startTimeGMT": "nonsense", "beginTimestamp": 1746081000000}
    assert first_read_day(item) == date(2025, 5, 1)


def test_a_document_without_a_day_is_read_whatever_day_reading_starts_from(s3: Any, bucket: str) -> None:
    documents = [RawDocument(kind, NO_DAY, "d", b"[1]") for kind in ("activity_list", "day", "export", "listing")]
    old = RawDocument("day", date(2026, 1, 1), "old", b"[2]")
    write_raw(s3, bucket, "ann", [*documents, old], datetime(2026, 3, 1, tzinfo=UTC))
    for since in (date(2026, 2, 1), NO_DAY, None):
        found = {document.name for document in read_raw(s3, bucket, "ann", since)}
        assert found == ({"d"} if since == date(2026, 2, 1) else {"d", "old"})


def test_of_listings_the_newest_is_read(s3: Any, bucket: str) -> None:
    for day, body in ((1, b"[1]"), (2, b"[2]"), (3, b"[1]")):
        write_raw(
            s3, bucket, "ann", [RawDocument("listing", NO_DAY, "folder", body)], datetime(2026, 3, day, tzinfo=UTC)
        )
    [newest] = read_raw(s3, bucket, "ann", date(2026, 2, 1))
    assert newest.fetched_at.day == 3
