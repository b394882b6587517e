from datetime import UTC, datetime
from typing import Any

import pytest
from garmin_documents import activity, curated, known, max_met, readings
from hypothesis import given
from hypothesis import strategies as st

from include.curate import curate
from include.garmin.metrics_documents import Metrics
from tests.garmin.fit_files import CYCLING, ROWING, RUNNING, WALKING, metrics_file

DAY = "2025-05-02"
EVENING = datetime(2025, 5, 2, 18)


def _documents(*bodies: bytes) -> list[bytes]:
    metrics = Metrics()
    for number, body in enumerate(bodies):
        metrics.add(f"{number}_METRICS.fit", body)
    return [each.body for each in metrics.documents(None, None)]


def _run(start_local: str, start_utc: str, **more: Any) -> dict[str, Any]:
    return activity(startTimeLocal=start_local, startTimeGMT=start_utc, **more)


def test_a_metrics_file_tells_the_day_and_the_activity_with_tenths() -> None:
    tables = curated(*_documents(metrics_file((EVENING, 50.31, 49.87))))
    expected = {"vo2max": 50.3, "is_precise": True, "activity_vo2max": 49.87}
    assert known(tables.vo2max) == [{"day": DAY, "sport": "running", **expected}]
    assert not tables.unread


def test_a_whole_number_alone_is_no_precise_reading() -> None:
    whole = [{"fitMaxMet": {"updated_at_utc": f"{DAY}T18:00:00", "sport": "running", "vo2max_whole": 50.0}}]
    assert readings(curated(whole)) == [(DAY, "running", 50.0, False)]


def test_tenths_go_before_the_whole_numbers_of_list_and_days() -> None:
    whole = [{"generic": max_met(DAY, None, 50.0)}]
    listed = [_run(f"{DAY} 19:00:00", f"{DAY} 17:00:00", vO2MaxValue=50.0)]
    (row,) = known(curated(whole, listed, *_documents(metrics_file((EVENING, 50.31, 49.87)))).vo2max)
    assert (row["vo2max"], row["is_precise"], row["activity_vo2max"]) == (50.3, True, 49.87)


def test_the_same_reading_of_another_source_is_one_reading() -> None:
    exported = [{"calendarDate": DAY, "sport": "RUNNING", "maxMet": 50.31 / 3.5}]
    told = readings(curated(exported, *_documents(metrics_file((EVENING, 50.31, 49.87)))))
    assert told == [(DAY, "running", 50.3, True)]


def test_running_and_cycling_stay_two_series_and_other_sports_are_none() -> None:
    bodies = [
        metrics_file((EVENING, value, None), sport=sport)
        for value, sport in ((50.3, 1), (54.2, CYCLING), (40.0, ROWING), (41.0, WALKING))
    ]
    assert readings(curated(*_documents(*bodies))) == [(DAY, "cycling", 54.2, True), (DAY, "running", 50.3, True)]
    assert readings(curated(*_documents(metrics_file((EVENING, 50.3, None), sport=None)))) == [
        (DAY, "running", 50.3, True)
    ]


@pytest.mark.parametrize("are_swapped", [False, True])
def test_of_several_updates_of_a_day_the_last_wins_whenever_it_was_fetched(are_swapped: bool) -> None:
    early = _documents(metrics_file((EVENING.replace(hour=7), 50.0, 50.1)))
    late = _documents(metrics_file((EVENING, 50.4, None)))
    tables = curated(*late, *early) if are_swapped else curated(*early, *late)
    (row,) = known(tables.vo2max)
    assert (row["vo2max"], row["activity_vo2max"]) == (50.4, 50.1)


def test_the_day_is_that_of_the_wall_clock_of_the_activity_before_it() -> None:
    update = metrics_file((datetime(2025, 5, 3, 2, 30), 50.3, None))
    evening_in_america = [_run(f"{DAY} 18:30:00", "2025-05-03 01:30:00")]
    assert readings(curated(*_documents(update))) == [("2025-05-03", "running", 50.3, True)]
    assert readings(curated(evening_in_america, *_documents(update))) == [(DAY, "running", 50.3, True)]


def test_an_activity_of_the_next_morning_tells_too_and_one_of_last_week_does_not() -> None:
    update = _documents(metrics_file((datetime(2025, 5, 3, 2, 30), 50.3, None)))
    next_morning = [_run("2025-05-03 06:00:00", "2025-05-03 13:00:00")]
    last_week = [_run("2025-04-24 18:30:00", "2025-04-25 01:30:00")]
    assert readings(curated(next_morning, *update))[0][0] == DAY
    assert readings(curated(last_week, *update))[0][0] == "2025-05-03"


def test_a_wall_clock_that_the_file_tells_goes_before() -> None:
    update = _documents(metrics_file((datetime(2025, 5, 3, 2, 30), 50.3, None), utc_offset_s=-8 * 3600))
    assert readings(curated([_run("2025-05-03 01:00:00", "2025-05-03 01:00:00")], *update))[0][0] == DAY


def test_months_alone_have_the_days_of_the_whole() -> None:
    from include.garmin.document import StoredDocument

    bodies = [*_documents(metrics_file((datetime(2025, 5, 1, 2, 30), 50.3, None)))]
    bodies.append(b'[{"activityId": 7, "activityType": {"typeKey": "running"}, "startTimeLocal": "2025-04-30 18:30:00",'
                  b' "startTimeGMT": "2025-05-01 01:30:00", "duration": 3600.0}]')  # fmt: skip
    fetched_at = datetime(2025, 6, 1, tzinfo=UTC)
    documents = [
        StoredDocument("max_metrics", fetched_at.date(), str(n), body, "ann", fetched_at, str(n))
        for n, body in enumerate(bodies)
    ]
    whole = curate(documents).vo2max
    assert str(whole["day"].iloc[0].date()) == "2025-04-30"
    assert len(curate(documents, since=datetime(2025, 5, 1).date()).vo2max) == 0
    assert len(curate(documents, since=datetime(2025, 4, 1).date()).vo2max) == 1


@pytest.mark.parametrize(
    "update",
    [None, [], {}, {"updated_at_utc": "x", "met_max_raw": 942_033}, {"updated_at_utc": f"{DAY}T18:00:00", "met_max_raw": "x"},
     {"updated_at_utc": f"{DAY}T18:00:00", "met_max_raw": 10, "vo2max_whole": 4.0}],
)  # fmt: skip
def test_what_makes_no_sense_is_no_reading(update: Any) -> None:
    assert readings(curated([{"fitMaxMet": update}])) == []


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 23), st.floats(30, 70)), min_size=1, max_size=8), st.randoms()
)
def test_neither_order_nor_repeats_of_files_change_the_readings(
    updates: list[tuple[int, int, float]], random: Any
) -> None:
    bodies = [
        metrics_file((EVENING.replace(day=1 + day, hour=hour), round(vo2max, 1), None), sport=RUNNING)
        for day, hour, vo2max in {(day, hour): (day, hour, vo2max) for day, hour, vo2max in updates}.values()
    ]
    shuffled = [*bodies, *bodies[: len(bodies) // 2]]
    random.shuffle(shuffled)
    whole = readings(curated(*_documents(*bodies)))
    assert readings(curated(*_documents(*shuffled))) == whole
    assert readings(curated(*(document for body in shuffled for document in _documents(body)))) == whole
