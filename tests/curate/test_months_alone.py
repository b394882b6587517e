"""A month of the tables is told by itself and a bounded time before it: rewriting some months is as good as all."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from garmin_documents import activity, curated, known, stored

from include.curate import Tables, context_start, curate, days_start, read_tables, write_tables
from include.curate.months import CONTEXT_MONTHS, NO_MONTH, month_of, months_before
from include.curate.store import csv_by_month
from include.garmin import RawDocument, StoredDocument, open_source
from include.garmin.holdings import list_keys
from include.garmin.raw import read_raw, write_raw

FIRST, MONTHS = date(2023, 1, 15), 30
SEEDS = range(3)


def _told(number: int, local: datetime, offset_h: float, **more: Any) -> dict[str, Any]:
    return activity(
        number,
        startTimeLocal=str(local),
        startTimeGMT=str(local - timedelta(hours=offset_h)),
        **{"averageSpeed": None, **more},
    )


def _history(seed: int) -> Iterator[dict[str, Any]]:
    """Two and a half years in which units, sports, zones, duplicates and triathlons change by chance."""
    chance = random.Random(seed)
    at, number = datetime.combine(FIRST, datetime.min.time()), 1000
    is_kj = is_cm = False
    while at.date() < FIRST + timedelta(days=30 * MONTHS):
        at += timedelta(hours=chance.choice([9, 20, 30, 80, 80, 900 if chance.random() < 0.05 else 30]))
        is_kj, is_cm = is_kj != (chance.random() < 0.02), is_cm != (chance.random() < 0.02)
        number += 10
        seconds = chance.uniform(900, 7000)
        energy = seconds / 60 * chance.uniform(5, 14) * (4.184 if is_kj else 1) * chance.choice([1] * 20 + [30])
        climb = seconds * chance.uniform(0.001, 0.1) * (100 if is_cm else 1) * chance.choice([1] * 20 + [100, 1e4])
        offset_h = chance.choice([2, 2, 2, -10, 14])
        sport = chance.choice(["running", "cycling", "virtual_ride", "yoga", "walking"])
        item = _told(
            number, at, offset_h, activityType={"typeKey": sport}, duration=seconds, distance=seconds * 2.7,
            calories=energy, elevationGain=climb, vO2MaxValue=chance.choice([None, 50.0, 51.0]),
        )  # fmt: skip
        yield item
        if chance.random() < 0.1:  # the same effort under another id, perhaps after midnight
            yield {
                **item,
                **_told(number + 1, at + timedelta(seconds=30), offset_h),
                "activityType": {"typeKey": sport},
            }
        if chance.random() < 0.1:  # a triathlon through the night, perhaps with its last leg missing
            yield from _triathlon(number, at, offset_h, legs=chance.choice([2, 3, 3]))


def _triathlon(number: int, at: datetime, offset_h: float, legs: int) -> Iterator[dict[str, Any]]:
    night = at.replace(hour=21, minute=7)
    kind = {"activityType": {"typeKey": "multi_sport"}, "isMultiSportParent": True}
    yield _told(number + 2, night, offset_h, duration=5 * 3600.0, **kind)
    for leg in range(legs):
        begin = night + timedelta(hours=1.65 * leg, minutes=1)
        parent = {"parentId": number + 2} if leg else {}
        yield _told(number + 3 + leg, begin, offset_h, duration=1.6 * 3600.0, vO2MaxValue=52.0, **parent)


def _triathlon_at_the_turn_of(month: date) -> list[dict[str, Any]]:
    return list(_triathlon(1, datetime.combine(month - timedelta(days=1), datetime.min.time()), 2, legs=3))


def _documents(seed: int) -> list[StoredDocument]:
    """A page a local day, fetched in no order."""
    pages: dict[date, list[Any]] = {}
    for item in _history(seed):
        pages.setdefault(date.fromisoformat(item["startTimeLocal"][:10]), []).append(item)
    chance = random.Random(seed)
    return [_page(items, day, chance.randrange(9)) for day, items in pages.items()]


def _page(items: list[Any], day: date, order: int = 0) -> StoredDocument:
    one = stored(items, "activity_list", order)
    return StoredDocument(one.kind, day, f"{day}", one.body, one.athlete_id, one.fetched_at, f"raw/{day}")


def _months(tables: Tables) -> dict[tuple[str, str], bytes]:
    return {
        (table, month): body for table, frame in tables.frames().items() for month, body in csv_by_month(table, frame)
    }


def _cuts(documents: list[StoredDocument], seed: int) -> list[date]:
    """Every third month, and with all SEEDS every month."""
    return sorted({document.last_day.replace(day=1) for document in documents})[seed :: len(SEEDS)]


@pytest.mark.parametrize("seed", SEEDS)
def test_months_from_any_one_on_come_out_as_in_a_rebuild(seed: int) -> None:
    documents = _documents(seed)
    rebuilt = _months(curate(documents))
    assert len(rebuilt) > MONTHS
    for since in _cuts(documents, seed):
        needed = [document for document in documents if document.last_day >= context_start(since)]
        tables = curate(needed, since)
        assert _months(tables) == {part: body for part, body in rebuilt.items() if part[1] >= f"{since:%Y-%m}"}
        assert tables.mends == curate(documents, since).mends


@pytest.mark.parametrize("seed", SEEDS)
def test_what_comes_later_changes_no_month_before_it(seed: int) -> None:
    documents = _documents(seed)
    rebuilt = _months(curate(documents))
    for cut in _cuts(documents, seed):
        earlier = curate(document for document in documents if document.last_day < cut)
        assert _months(earlier) == {part: body for part, body in rebuilt.items() if part[1] < f"{cut:%Y-%m}"}


def test_the_histories_hold_every_case() -> None:
    mends: set[str] = set()
    for seed in SEEDS:
        mends |= curate(_documents(seed)).mends.keys()
    assert mends >= {
        "calories_kj_to_kcal",
        "elevation_cm_to_m",
        "energy_kcal_impossible_left_out",
        "multisport_leg_left_out",
        "multisport_parent_left_out",
        "recorded_twice_merged",
        "vo2max_of_other_sport_left_out",
    }


def test_a_parent_whose_legs_run_into_the_next_month_stands_for_them() -> None:
    (row,) = known(curated(_triathlon_at_the_turn_of(date(2025, 5, 1))).activities)
    assert (row["sport"], row["day"]) == ("multisport", "2025-04-30")


def test_the_day_from_which_documents_are_needed_lies_a_year_and_a_week_before_the_month() -> None:
    assert context_start(date(2025, 5, 17)) == context_start(date(2025, 5, 1)) == date(2024, 4, 24)
    assert months_before("2025-05", CONTEXT_MONTHS) == "2024-05"
    assert months_before("2025-01", 1) == "2024-12"
    assert month_of("2025-05-17") == "2025-05" < month_of(None) == NO_MONTH


def test_a_daily_run_reads_of_the_days_no_more_than_the_month_and_a_week(s3: Any, bucket: str) -> None:
    today = date(2026, 1, 25)
    source = open_source("synthetic:athletes=1,years=2", today)
    for first in (date(2025, 9, 1) + timedelta(days=30 * n) for n in range(5)):  # so short a time comes day by day
        documents = source.fetch("athlete-01", first, min(first + timedelta(days=29), today))
        write_raw(s3, bucket, "athlete-01", documents, datetime.combine(today, datetime.min.time(), UTC))
    since = date(2026, 1, 22)
    read = list(read_raw(s3, bucket, "athlete-01", context_start(since), days_start(since)))
    every = list(read_raw(s3, bucket, "athlete-01", context_start(since)))
    assert min(document.last_day for document in read if document.kind == "sleep") == date(2025, 12, 25)
    assert min(document.last_day for document in read if document.kind == "activity_list") < date(2025, 9, 10)
    assert len(read) < len(every) / 2
    assert _months(curate(read, since)) == _months(curate(every, since))


def test_tables_of_some_months_rewrite_these_alone(s3: Any, bucket: str) -> None:
    pages = [_page([activity(n, day=f"2025-0{n}-01")], date(2025, n, 1)) for n in (3, 4, 5)]
    write_tables(s3, bucket, "ann", curate(pages))
    assert write_tables(s3, bucket, "ann", curate(pages[1:2], date(2025, 4, 9))) == [
        "curated/activities/athlete_id=ann/month=2025-04/part.csv"
    ]
    months = [f"{day:%Y-%m}" for day in read_tables(s3, bucket, "ann").activities["day"]]
    assert months == ["2025-03", "2025-04", "2025-05"], "nothing was read of May, so nothing says that it is empty"


def test_tables_of_some_months_cannot_rewrite_earlier_ones(s3: Any, bucket: str) -> None:
    tables = curate([_page([activity(1)], date(2025, 5, 1))], date(2025, 5, 1))
    with pytest.raises(ValueError, match="months from 2025-05 on cannot rewrite those from 2025-04 on"):
        write_tables(s3, bucket, "ann", tables, "2025-04")
    assert write_tables(s3, bucket, "ann", tables, "2025-06") == []


def test_rows_without_a_day_stay_until_they_are_told_anew(s3: Any, bucket: str) -> None:
    undated = {"startTimeLocal": None, "startTimeGMT": None}
    old, new = (
        _page([activity(n, **undated) for n in numbers], day)
        for numbers, day in (((1, 2), date(2022, 1, 1)), ((3,), date(2025, 5, 1)))
    )
    write_tables(s3, bucket, "ann", curate([old]))
    for _ in range(2):
        write_tables(s3, bucket, "ann", curate([new], date(2025, 5, 1)))
        assert read_tables(s3, bucket, "ann").activities["activity_id"].tolist() == ["1", "2", "3"]
    dated = _page([activity(2, day="2025-05-03")], date(2025, 5, 3))
    write_tables(s3, bucket, "ann", curate([new, dated], date(2025, 5, 1)))
    assert read_tables(s3, bucket, "ann").activities["activity_id"].tolist() == ["2", "1", "3"]


def test_day_by_day_writes_the_bytes_of_a_rebuild(s3: Any, bucket: str) -> None:
    def run(documents: Iterator[RawDocument], today: date, since: date | None) -> None:
        write_raw(s3, bucket, "athlete-02", documents, datetime.combine(today, datetime.min.time(), UTC))
        read = read_raw(s3, bucket, "athlete-02", *((context_start(since), days_start(since)) if since else ()))
        write_tables(s3, bucket, "athlete-02", curate(read, since))

    def written() -> dict[str, bytes]:
        keys = list(list_keys(s3, bucket, "curated/"))
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    days = [date(2026, 1, 25) + timedelta(days=3 * n) for n in range(4)]
    sources = {today: open_source("synthetic:athletes=2,years=2", today) for today in days}
    run(sources[days[0]].fetch("athlete-02", None, None), days[0], None)
    for today in days[1:]:
        start = today - timedelta(days=5)
        run(sources[today].fetch("athlete-02", start, today), today, start)
    by_day = written()
    assert len(by_day) > 3 * 24
    for key in by_day:
        s3.delete_object(Bucket=bucket, Key=key)
    write_tables(s3, bucket, "athlete-02", curate(read_raw(s3, bucket, "athlete-02")))
    assert written() == by_day
