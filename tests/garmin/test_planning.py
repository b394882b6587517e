from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.garmin.document import SourceError
from include.garmin.periods import months
from include.garmin.planning import MOST_BATCHES, MOST_PIECES, Batch, batched, live_months, live_part
from include.garmin.registry import Athlete

TODAY = date(2026, 3, 20)
days = st.dates(date(2005, 1, 1), date(2030, 12, 31))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 12, 25, 49, 50, 51, 300])
def test_batches_hold_every_athlete_once_in_order_and_are_even(count: int) -> None:
    athletes = [Athlete(f"a{i}") for i in range(count)]
    made = batched(athletes, (None, None))
    assert [athlete for batch in made for athlete in batch.athletes] == athletes
    sizes = [len(batch.athletes) for batch in made]
    assert all(0 < size <= 25 for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_two_workers_share_few_athletes() -> None:
    assert [batch.names for batch in batched([Athlete(name) for name in "abcd"], (None, None))] == [
        ["a", "b"],
        ["c", "d"],
    ]


def test_a_batch_survives_the_way_between_tasks() -> None:
    batch = Batch(
        (Athlete("ann"), Athlete("bob", "garminconnect")), (date(2026, 1, 1), None), again=True, reads_files=False
    )
    assert Batch.from_json(batch.as_json()) == batch


@given(days, days, st.integers(1, 7))
def test_months_cover_every_day_once_newest_first(one: date, other: date, per_piece: int) -> None:
    start, end = sorted((one, other))
    pieces = months(start, end, per_piece)
    assert pieces[0][1] == end
    assert pieces[-1][0] == start
    for later, earlier in pairwise(pieces):
        assert earlier[1] + timedelta(days=1) == later[0]
        assert later[0].day == 1


def test_garmin_is_asked_by_month_and_files_are_read_whole() -> None:
    athletes = [Athlete("ann", "garminconnect"), Athlete("bob", "folder:/data"), Athlete("cleo")]
    live = live_months(athletes, "synthetic", (date(2026, 1, 15), None), TODAY)
    assert [batch.days for batch in live] == [
        (date(2026, 3, 1), TODAY),
        (date(2026, 2, 1), date(2026, 2, 28)),
        (date(2026, 1, 15), date(2026, 1, 31)),
    ]
    assert {name for batch in live for name in batch.names} == {"ann"}
    [batch] = [Batch(tuple(athletes), (date(2026, 1, 15), None))]
    assert batch.file_sources("synthetic") == {"bob": "folder:/data", "cleo": "synthetic"}
    assert replace(batch, reads_files=False).file_sources("synthetic") == {}


def test_many_athletes_and_years_stay_within_what_airflow_maps() -> None:
    athletes = [Athlete(f"a{i}") for i in range(300)]
    live = live_months(athletes, "garminconnect", (date(2010, 1, 1), TODAY), TODAY)
    assert len(live) <= MOST_PIECES + 12
    most = batched([Athlete(f"a{i}") for i in range(100_000)], (None, None))
    assert len(most) == MOST_BATCHES < 1024
    assert sum(len(batch.athletes) for batch in most) == 100_000


def test_garmin_is_not_asked_for_a_history_without_beginning() -> None:
    with pytest.raises(SourceError, match="give 'from'"):
        live_months([Athlete("ann")], "garminconnect", (None, None), TODAY)


def test_those_who_are_fetched_live_are_planned_apart_and_every_batch_keeps_its_days() -> None:
    athletes = [Athlete("ann"), Athlete("bob", "folder:/data"), Athlete("cleo"), Athlete("dan", "folder:/data")]
    first, second = (date(2026, 3, 17), TODAY), (date(2026, 3, 1), TODAY)
    batches = [Batch(tuple(athletes[:3]), first), Batch((athletes[3],), second)]
    live = live_part(batches, "garminconnect")
    assert [(batch.names, batch.days) for batch in live] == [(["ann", "cleo"], first)]
    assert [list(batch.file_sources("garminconnect")) for batch in batches] == [["bob"], ["dan"]]
    assert Batch.from_json(live[0].as_json()) == live[0]
