"""Whatever happens to an athlete's files between scheduled runs, the tables are those of one import of the last state."""

import tempfile
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from include.curate import Tables
from include.features.build import build_features
from include.quality.verdict import Validation, Verdict
from tests.ingest.athlete_files import Home, run_of

FIRST, LAST = date(2025, 10, 25), date(2026, 3, 5)
DAYS = (LAST - FIRST).days


def at(day: int, hour: int) -> str:
    return str(datetime.combine(FIRST + timedelta(days=day), datetime.min.time()) + timedelta(hours=hour))


moments = st.builds(at, st.integers(0, DAYS - 1), st.integers(0, 23))
activities = st.dictionaries(
    st.integers(1, 40), st.tuples(moments, st.sampled_from([None, 47.0, 50.0, 53.0])), min_size=1, max_size=25
)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("delete"), st.integers(1, 40)),
        st.tuples(st.just("move"), st.integers(1, 40), moments),
        st.tuples(st.just("edit"), st.integers(1, 40), st.sampled_from([None, 44.0, 56.0])),
        st.tuples(st.just("add"), st.integers(41, 60), moments),
    ),
    max_size=8,
)


def all_clean(tables: Mapping[str, Tables]) -> Validation:
    """The rules of quality have tests of their own, and Great Expectations takes seconds to start."""
    return Validation({name: Verdict(found, {}) for name, found in tables.items()}, {})


def changed(state: dict[int, tuple[str, float | None]], steps: list[Any]) -> dict[int, tuple[str, float | None]]:
    state = dict(state)
    for what, number, *value in steps:
        if what == "add":
            state[number] = (value[0], 51.0)
        elif number in state:
            start, vo2max = state.pop(number)
            if what == "move":
                state[number] = (value[0], vo2max)
            if what == "edit":
                state[number] = (start, value[0])
    return state


def give(home: Home, state: dict[int, tuple[str, float | None]]) -> None:
    """An export holds every day up to the one on which it was made, besides the activities."""
    days = [{"calendarDate": str(FIRST + timedelta(days=n)), "restingHeartRate": 48 + n % 5} for n in range(DAYS + 1)]
    home.give("ann", [run_of(number, start, vo2max) for number, (start, vo2max) in state.items()], days)


@given(first=activities, steps=st.lists(changes, min_size=1, max_size=3))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_tables_are_those_of_one_import_of_the_last_state(
    first: dict[int, tuple[str, float | None]], steps: list[Any]
) -> None:
    passes_all = patch("include.ingest.batch.validate", all_clean)
    with mock_aws(), passes_all, tempfile.TemporaryDirectory() as folder:
        s3: Any = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        for bucket in ("followed", "at-once"):
            s3.create_bucket(Bucket=bucket)
        home = Home(s3, "followed", Path(folder) / "files")
        state = first
        give(home, state)
        home.load(LAST)
        for number, step in enumerate(steps, start=1):
            # An athlete with no activity at all fails by name, which has tests of its own.
            state = changed(state, step) or state
            give(home, state)
            assert home.daily(LAST + timedelta(days=number), accept_fewer=True).failures == []
        at_once = Home(s3, "at-once", home.folder)
        at_once.load(LAST + timedelta(days=9))
        found, wanted = home.tables("ann"), at_once.tables("ann")
        for table, frame in wanted.frames().items():
            pd.testing.assert_frame_equal(found.frames()[table], frame, obj=table)
        pd.testing.assert_frame_equal(build_features(found), build_features(wanted))
