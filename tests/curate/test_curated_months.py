from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest
from garmin_documents import activity, curated, max_met, stored

from include.curate import Tables, curate, read_tables, write_tables
from include.curate.store import csv_by_month, from_csv, to_csv
from include.curate.tables import to_frame
from include.garmin import open_source
from include.garmin.holdings import list_keys
from include.garmin.raw import read_raw, write_raw

UNDATED = {"startTimeLocal": None, "startTimeGMT": None}


def _contents(s3: Any, bucket: str, prefix: str = "curated/") -> dict[str, bytes]:
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in list_keys(s3, bucket, prefix)}


def _months(s3: Any, bucket: str, table: str = "activities") -> list[str]:
    return [key.split("month=")[1].split("/")[0] for key in list_keys(s3, bucket, f"curated/{table}/")]


def _tables() -> Tables:
    return curated(
        [
            activity(1, day="2025-04-30", averageHR=1 / 3, startTimeGMT="2025-04-30 06:00:00.250"),
            activity(2, "cycling", day="2025-05-01", vO2MaxValue=54.0, deviceId=33, manualActivity=True),
            activity("NA", "yoga", day="2025-05-02", duration=None),
            activity('a,"b"', day="2025-05-02", parentId="null"),
        ],
        [{"generic": max_met("2025-05-01", 50.3)}],
        {"calendarDate": "2025-05-01", "restingHeartRate": 48},
    )


def _assert_same(one: Tables, other: Tables) -> None:
    for table, frame in one.frames().items():
        pd.testing.assert_frame_equal(frame, other.frames()[table])


def test_what_is_written_is_read_back_and_writes_the_same_bytes(s3: Any, bucket: str) -> None:
    tables = _tables()
    keys = write_tables(s3, bucket, "ann", tables)
    before = _contents(s3, bucket)
    assert sorted(keys) == sorted(before)
    again = read_tables(s3, bucket, "ann")
    _assert_same(tables, again)
    write_tables(s3, bucket, "ann", again)
    assert _contents(s3, bucket) == before


def test_each_table_has_one_file_a_month(s3: Any, bucket: str) -> None:
    assert write_tables(s3, bucket, "ann", _tables()) == [
        "curated/activities/athlete_id=ann/month=2025-04/part.csv",
        "curated/activities/athlete_id=ann/month=2025-05/part.csv",
        "curated/days/athlete_id=ann/month=2025-05/part.csv",
        "curated/vo2max/athlete_id=ann/month=2025-05/part.csv",
    ]


def test_an_athlete_without_tables_has_columns_and_no_rows(s3: Any, bucket: str) -> None:
    tables = read_tables(s3, bucket, "nobody")
    _assert_same(tables, curate([]))
    assert write_tables(s3, bucket, "nobody", tables) == []


def test_months_that_became_empty_are_deleted(s3: Any, bucket: str) -> None:
    write_tables(s3, bucket, "ann", _tables())
    write_tables(s3, bucket, "ann", curated([activity(1, day="2025-04-30")]))
    assert [key.split("curated/")[1] for key in _contents(s3, bucket)] == [
        "activities/athlete_id=ann/month=2025-04/part.csv"
    ]


def test_months_before_the_first_one_to_write_stay_as_they_are(s3: Any, bucket: str) -> None:
    write_tables(s3, bucket, "ann", curated([activity(n, day=f"2025-0{n}-01") for n in (3, 4, 5, 6)]))
    before = _contents(s3, bucket)
    changed = curated([activity(4, day="2025-04-01", distance=1.0), activity(5, day="2025-05-01", distance=1.0)])
    keys = write_tables(s3, bucket, "ann", changed, since_month="2025-05")
    after = _contents(s3, bucket)
    assert keys == ["curated/activities/athlete_id=ann/month=2025-05/part.csv"]
    assert _months(s3, bucket) == ["2025-03", "2025-04", "2025-05"]
    assert [key for key in after if after[key] != before[key]] == keys


def test_other_athletes_are_left_alone(s3: Any, bucket: str) -> None:
    bob = curate(_stored_for("bob"))
    write_tables(s3, bucket, "bob", bob)
    write_tables(s3, bucket, "ann", curated([]))
    _assert_same(read_tables(s3, bucket, "bob"), bob)


def _stored_for(athlete: str) -> list[Any]:
    return [stored([activity()], athlete=athlete)]


def test_rows_of_another_athlete_are_refused(s3: Any, bucket: str) -> None:
    with pytest.raises(ValueError, match=r"table activities of athlete bob holds rows of \['ann'\]"):
        write_tables(s3, bucket, "bob", _tables())
    assert not _contents(s3, bucket)


def test_rows_without_a_day_are_kept_as_of_an_unknown_month_and_read_back(s3: Any, bucket: str) -> None:
    tables = curated([activity(1), activity(2, **UNDATED)])
    write_tables(s3, bucket, "ann", tables)
    assert _months(s3, bucket) == ["2025-05", "unknown"]
    again = read_tables(s3, bucket, "ann")
    _assert_same(tables, again)
    assert again.activities["day"].isna().tolist() == [False, True]
    before = _contents(s3, bucket)
    write_tables(s3, bucket, "ann", again)
    assert _contents(s3, bucket) == before


def test_a_table_of_nothing_but_rows_without_a_day_is_read_back(s3: Any, bucket: str) -> None:
    tables = curated([activity(2, **UNDATED)])
    write_tables(s3, bucket, "ann", tables)
    _assert_same(tables, read_tables(s3, bucket, "ann"))


def test_the_unknown_month_sorts_after_every_other_and_so_is_rewritten_whatever_month_is_first(
    s3: Any, bucket: str
) -> None:
    write_tables(s3, bucket, "ann", curated([activity(1), activity(2, **UNDATED)]))
    write_tables(s3, bucket, "ann", curated([]), since_month="2999-12")
    assert _months(s3, bucket) == ["2025-05"]


def test_a_file_with_a_column_missing_is_refused() -> None:
    with pytest.raises(KeyError, match="steps"):
        from_csv("days", b"athlete_id,day,resting_hr_bpm,hrv_ms,sleep_s,stress_avg,body_battery_max,body_battery_min\n")


def test_a_file_from_before_a_column_was_is_read_with_it_unknown() -> None:
    old = b"athlete_id,day,sport,vo2max,is_precise,device\nann,2025-05-01,running,50.3,True,33\n"
    new = b"athlete_id,day,sport,vo2max,is_precise,activity_vo2max,device\nann,2025-06-01,running,51.3,True,52.0,33\n"
    assert from_csv("vo2max", old)["activity_vo2max"].isna().all()
    both = from_csv("vo2max", old, new)["activity_vo2max"]
    assert both.isna().tolist() == [True, False] and both.dtype == "float64"


def test_rows_are_written_in_one_order_whatever_order_they_have() -> None:
    frame = _tables().activities
    assert to_csv("activities", frame.iloc[::-1]) == to_csv("activities", frame)


def test_a_rebuild_from_raw_gives_the_same_bytes(s3: Any, bucket: str) -> None:
    today = date(2026, 3, 1)
    source = open_source("synthetic:athletes=2,years=1", today)
    fetched_at = datetime(2026, 3, 1, tzinfo=UTC)
    write_raw(s3, bucket, "athlete-02", source.fetch("athlete-02", None, None), fetched_at)
    write_raw(
        s3, bucket, "athlete-02", source.fetch("athlete-02", date(2026, 2, 20), today), fetched_at.replace(hour=5)
    )

    def built() -> dict[str, bytes]:
        for key in list(_contents(s3, bucket)):
            s3.delete_object(Bucket=bucket, Key=key)
        write_tables(s3, bucket, "athlete-02", curate(read_raw(s3, bucket, "athlete-02")))
        return _contents(s3, bucket)

    first = built()
    assert len(first) >= 3 * 12
    assert built() == first
    backwards = curate(reversed(list(read_raw(s3, bucket, "athlete-02"))))
    write_tables(s3, bucket, "athlete-02", backwards)
    assert _contents(s3, bucket) == first


@pytest.mark.parametrize("sport", ["yoga", "a\nb", "a\r\nb", 'a"b,\r'])
def test_a_month_is_written_as_it_would_be_alone_and_months_read_together_are_those_read_one_by_one(sport: str) -> None:
    days = [None, "2025-03-31", "2025-04-01", "2025-04-01", "2025-05-02", None]
    rows = [{"athlete_id": "ann", "activity_id": str(i), "day": day, "sport": sport} for i, day in enumerate(days)]
    frame = to_frame("activities", rows)
    parts = dict(csv_by_month("activities", frame))
    months = frame["day"].dt.strftime("%Y-%m").fillna("unknown")
    assert parts == {month: to_csv("activities", frame[months == month]) for month in sorted(set(months))}
    alone = pd.concat([from_csv("activities", body) for body in parts.values()], ignore_index=True)
    pd.testing.assert_frame_equal(from_csv("activities", *parts.values()), alone)
