"""The order in which documents come, and what is told more than once, never change the tables."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from garmin_documents import activity, max_met, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from include.curate import Tables, curate
from include.curate.store import to_csv
from include.garmin import StoredDocument

DAYS = st.integers(1, 9).map(lambda number: f"2025-05-0{number}")
SPORTS = st.sampled_from(["running", "walking", "hiking", "cycling", "indoor_cardio", "flying", None])


@st.composite
def activities(draw: st.DrawFn) -> Any:
    """A page of the activity list: efforts that overlap, were typed in, carry a VO2max, or were told wrong."""
    hour, minute = draw(st.integers(7, 9)), draw(st.integers(0, 59))
    sport = draw(SPORTS)
    return [
        activity(
            draw(st.integers(1, 12)),
            startTimeLocal=f"{draw(DAYS)} {hour:02d}:{minute:02d}:00",
            activityType=sport and {"typeKey": sport},
            duration=60.0 * draw(st.integers(1, 120)),
            elapsedDuration=60.0 * draw(st.integers(1, 180)),
            manualActivity=draw(st.booleans()),
            averageHR=draw(st.sampled_from([None, 140.0, "150.0", 255.0])),
            vO2MaxValue=draw(st.sampled_from([None, 48.0, "49.0", 50.0])),
            activityTrainingLoad=draw(st.sampled_from([None, 80.0, 110.0])),
        )
    ]


@st.composite
def sleeps(draw: st.DrawFn) -> Any:
    """A row of the export's sleep data: a night or a nap."""
    day, hour, hours = draw(DAYS), draw(st.integers(0, 15)), draw(st.integers(1, 8))
    times = {
        "sleepStartTimestampGMT": f"{day}T{hour:02d}:00:00.0",
        "sleepEndTimestampGMT": f"{day}T{hour + hours:02d}:00:00.0",
    }
    return [{"calendarDate": day, "deepSleepSeconds": 3600 * hours, **draw(st.sampled_from([times, {}]))}]


VALUES = st.one_of(
    activities(),
    sleeps(),
    st.builds(lambda day, value: {"mostRecentVO2Max": {"generic": max_met(day, value)}}, DAYS, st.floats(40, 60)),
    st.builds(lambda day, value: [{"generic": max_met(day, value)}], DAYS, st.floats(40, 60)),
    st.builds(lambda day, weight: {"calendarDate": day, "weight": weight}, DAYS, st.sampled_from([70.4, 70_400.0])),
)


def _told(tables: Tables) -> Any:
    return {table: to_csv(table, frame) for table, frame in tables.frames().items()}, tables.mends


def _again(document: StoredDocument) -> StoredDocument:
    """The same answer, fetched once more before the next one was."""
    return replace(document, fetched_at=document.fetched_at + timedelta(hours=1), key=f"{document.key}-again")


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.lists(VALUES, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_order_and_repeats_of_documents_change_nothing(values: list[Any], chance: Random) -> None:
    documents = [stored(value, order=order) for order, value in enumerate(values)]
    repeated = [*documents, *map(_again, chance.sample(documents, len(documents) // 2))]
    chance.shuffle(repeated)
    assert _told(curate(repeated)) == _told(curate(documents))
