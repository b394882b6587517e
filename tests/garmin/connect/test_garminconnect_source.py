import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.curate import curate
from include.garmin import LoginNeeded, RawDocument, SourceError, TooManyRequests
from include.garmin.connect import connection
from include.garmin.connect.connection import NO_DATA, TOKEN_FILE
from include.garmin.connect.garminconnect_source import GarminConnectSource
from include.garmin.connect.manners import Manners, OutOfService
from include.garmin.connect.tokens import Tokens, TokenStore
from include.garmin.connect.unanswered import DOUBTED_AFTER, Unanswered
from include.garmin.fetching import fetch_athlete
from include.garmin.holdings import list_keys
from include.garmin.raw import read_raw
from tests.garmin.connect.fake_garmin import Account, FakeGarmin, Fault, made_up

TODAY = date(2026, 3, 5)
START, END = date(2026, 2, 1), date(2026, 2, 3)
ACTIVITY_LIST = "/activitylist-service/activities/search/activities"


@pytest.fixture
def account() -> Account:
    account = Account()
    made_up.add_runs(account, 501, [START, END])
    made_up.add_days(account, START, END)
    return account


@pytest.fixture
def source(
    s3: Any, bucket: str, ssm: Any, fake_garmin: FakeGarmin, account: Account, manners: Manners
) -> GarminConnectSource:
    files = {TOKEN_FILE: fake_garmin.accounts.token_file(account)}
    TokenStore(ssm, "gff").store("ann", Tokens("garminconnect", files, datetime(2026, 3, 1, tzinfo=UTC), None))
    return GarminConnectSource(TokenStore(ssm, "gff"), s3, bucket, TODAY, manners)


def _slots(documents: list[RawDocument]) -> list[tuple[str, date, str]]:
    return [(document.kind, document.last_day, document.name) for document in documents]


def _until_it_raises(documents: Iterator[RawDocument], error: type[Exception]) -> tuple[list[RawDocument], Any]:
    came: list[RawDocument] = []
    with pytest.raises(error) as caught:
        came.extend(documents)
    return came, caught.value


@pytest.mark.parametrize(
    ("where", "status", "subject", "lost"),
    [
        ("dailySleepData", 500, "sleep", 28),
        ("trainingstatus", 403, "training_status", 28),
        ("usersummary", 402, "day summary", 28),
        ("hrv-service", 400, "hrv", 1),
        ("maxmet", 403, "max_metrics", 1),
        ("weight-service", 500, "weight", 1),
        ("activity-service/activity/502", 500, "activity", 1),
        ("activitylist", 400, "activity_list", 3),
        ("socialProfile", 500, "sleep", 56),
    ],
)
def test_a_question_that_is_never_answered_blocks_no_other(
    source: GarminConnectSource, fake_garmin: FakeGarmin, where: str, status: int, subject: str, lost: int
) -> None:
    february = (START, date(2026, 2, 28))
    whole = len(list(source.fetch("ann", *february)))
    fake_garmin.faults.append(Fault.status(where, status, times=10**6))
    came, error = _until_it_raises(source.fetch("ann", *february), Unanswered)
    assert len(came) == whole - lost and subject in str(error)
    fake_garmin.faults.clear()
    missing = list(source.fetch("ann", *february, _holding(came)))
    assert {slot[1:] for slot in _slots(came + missing)} >= {slot[1:] for slot in _slots(missing)}
    assert len(missing) == lost + ("activity/" in where)  # a month with a summary missing asks its list again


def test_one_night_that_is_never_answered_stands_for_itself(
    source: GarminConnectSource, fake_garmin: FakeGarmin
) -> None:
    fake_garmin.faults.append(Fault.status("dailySleepData", 500, times=3, after=1))
    came, error = _until_it_raises(source.fetch("ann", START, END), Unanswered)
    assert len(came) == 14 and "sleep of 2026-02-02 (HTTP 500)" in str(error)


def test_a_refusal_of_everything_stops_after_a_few_questions(
    source: GarminConnectSource, fake_garmin: FakeGarmin
) -> None:
    fake_garmin.faults.append(Fault.status("connectapi", 403, times=10**6))
    came, error = _until_it_raises(source.fetch("ann", date(2016, 1, 1), END), OutOfService)
    assert came == [] and "blocking this address" in str(error)
    assert len(fake_garmin.seen) == DOUBTED_AFTER + 1


def test_the_sleep_that_is_needed_next_is_no_sleep(
    source: GarminConnectSource, account: Account, s3: Any, bucket: str
) -> None:
    account.sleep["2026-02-02"] = {
        "dailySleepDTO": {"calendarDate": "2026-02-02", "sleepTimeSeconds": 25_200, "napTimeSeconds": 1_200},
        "nextSleepNeed": {"calendarDate": "2026-02-03"},
        "sleepNeed": {"calendarDate": "2026-02-02"},
    }
    fetch_athlete(s3, bucket, source, "ann", (START, END), datetime(2026, 3, 5, 4, tzinfo=UTC), live=True)
    days = curate(read_raw(s3, bucket, "ann")).days
    slept = {f"{day:%m-%d}": seconds for day, seconds in zip(days["day"], days["sleep_s"], strict=True)}
    assert slept["02-02"] == 25_200 and slept["02-03"] != 25_200 and set(slept) == {"02-01", "02-02", "02-03"}


def _holding(documents: list[RawDocument]) -> Callable[[str, date, str], bool]:
    return lambda *slot: slot in set(_slots(documents))


def test_athletes_are_those_with_tokens(source: GarminConnectSource) -> None:
    assert source.athletes() == ["ann"]


def test_all_kinds_of_a_range_are_asked(source: GarminConnectSource) -> None:
    span = "2026-02-01-to-2026-02-03"
    days = [END, END - timedelta(days=1), START]
    assert _slots(list(source.fetch("ann", START, END))) == [
        ("max_metrics", END, span),
        ("hrv", END, span),
        ("day", END, f"weight-{span}"),
        ("activity", END, "502"),
        ("activity", START, "501"),
        ("activity_list", END, f"{span}-from-0"),
        *[
            (kind, day, name)
            for day in days
            for kind, name in (("day", "summary"), ("sleep", "sleep"), ("training_status", "status"))
        ],
    ]


def test_bodies_are_as_received(source: GarminConnectSource, account: Account) -> None:
    bodies = {(d.kind, d.last_day, d.name): d.body for d in source.fetch("ann", START, END)}
    assert bodies["activity", END, "502"] == json.dumps(account.summaries[502], indent=3).encode() + b"\r\n"
    assert bodies["day", START, "summary"] == json.dumps(account.days["2026-02-01"], indent=3).encode() + b"\r\n"
    assert b"47.3" in bodies["max_metrics", END, "2026-02-01-to-2026-02-03"]


def test_every_answer_of_a_day_without_data_is_kept(source: GarminConnectSource) -> None:
    day = date(2026, 1, 10)
    documents = list(source.fetch("ann", day, day))
    bodies = {document.kind: document.body for document in documents if not document.name.startswith("weight")}
    assert bodies["hrv"] == NO_DATA  # 204
    assert bodies["training_status"] == NO_DATA  # 200 without a body
    assert json.loads(bodies["activity_list"]) == [] and json.loads(bodies["max_metrics"]) == []
    assert list(source.fetch("ann", day, day, _holding(documents))) == []


def test_an_activity_deleted_meanwhile_has_no_data(source: GarminConnectSource, account: Account) -> None:
    del account.summaries[502]
    bodies = {document.name: document.body for document in source.fetch("ann", START, END)}
    assert bodies["502"] == NO_DATA and bodies["501"] != NO_DATA


def test_pages_go_on_until_one_is_short(source: GarminConnectSource, account: Account) -> None:
    made_up.add_runs(account, 1000, [date(2026, 1, 15)] * 230)
    documents = list(source.fetch("ann", date(2026, 1, 1), date(2026, 1, 31)))
    pages = [document for document in documents if document.kind == "activity_list"]
    assert [len(json.loads(page.body)) for page in pages] == [30, 100, 100]  # the first comes last
    assert len({document.name for document in documents if document.kind == "activity"}) == 230


def test_a_long_range_is_asked_by_months_newest_first(source: GarminConnectSource, fake_garmin: FakeGarmin) -> None:
    ends = [d.last_day for d in source.fetch("ann", date(2025, 12, 30), START) if d.kind == "max_metrics"]
    assert ends == [START, date(2026, 1, 31), date(2025, 12, 31)]
    assert len(fake_garmin.asked("/hrv/daily/")) == 4  # January has more days than one request may span


def test_without_an_end_today_is_the_last_day(source: GarminConnectSource) -> None:
    kinds = ("day", "sleep")
    documents = [
        d for d in source.fetch("ann", date(2026, 3, 4), None) if d.kind in kinds and d.name in (*kinds, "summary")
    ]
    assert {document.last_day for document in documents} == {date(2026, 3, 4), TODAY}


def test_the_whole_history_begins_with_the_first_activity(
    source: GarminConnectSource, account: Account, fake_garmin: FakeGarmin
) -> None:
    made_up.add_runs(account, 1000, [date(2026, 1, 30)] * 150)
    documents = list(source.fetch("ann", None, END))
    pages = [document for document in documents if document.kind == "activity_list"]
    assert [(len(json.loads(page.body)), page.last_day) for page in pages] == [(100, END), (52, date(2026, 1, 30))]
    assert min(document.last_day for document in documents if document.kind == "sleep") == date(2026, 1, 30)
    assert len(fake_garmin.asked("/activity-service/")) == 152
    assert list(source.fetch("ann", None, END, _holding(documents))) == pages  # a rerun: the list alone


def test_an_empty_account_is_no_error(source: GarminConnectSource, account: Account) -> None:
    account.activities.clear()
    (page,) = source.fetch("ann", None, None)
    assert json.loads(page.body) == []
    assert list(source.fetch("ann", TODAY + timedelta(days=1), None)) == []


def test_429_in_mid_run_keeps_what_came_and_the_next_run_asks_for_the_rest(
    source: GarminConnectSource, fake_garmin: FakeGarmin, clock: Any
) -> None:
    whole = _slots(list(source.fetch("ann", START, END)))
    fake_garmin.seen.clear()
    fake_garmin.faults.append(Fault.status("dailySleepData", 429, after=1, Retry_After="900"))
    came, error = _until_it_raises(source.fetch("ann", START, END), TooManyRequests)
    assert _slots(came) == whole[: len(came)] and 0 < len(came) < len(whole)
    assert error.retry_after_s == 900 and fake_garmin.seen[-1].status == 429
    fake_garmin.seen.clear()
    rest = list(source.fetch("ann", START, END, _holding(came)))
    assert _slots(rest) == whole[len(came) :]
    assert len(fake_garmin.asked()) == len(rest) + 1  # and the profile, for the display name


def test_429_among_an_months_summaries_leaves_its_list_to_the_next_run(
    source: GarminConnectSource, fake_garmin: FakeGarmin
) -> None:
    fake_garmin.faults.append(Fault.status("activity-service", 429, after=1))
    came, _ = _until_it_raises(source.fetch("ann", START, END), TooManyRequests)
    span = "2026-02-01-to-2026-02-03"
    assert [slot for slot in _slots(came) if slot[0].startswith("activity")] == [
        ("activity", END, "502"),
        ("activity_list", END, f"{span}-from-0-unfinished"),
    ]
    rest = _slots(list(source.fetch("ann", START, END, _holding(came))))
    assert [slot[0] for slot in rest[:2]] == ["activity", "activity_list"]


@pytest.mark.parametrize("where", ["maxmet", "activitylist", "usersummary"])
def test_what_breaks_twice_is_good_the_third_time(
    source: GarminConnectSource, fake_garmin: FakeGarmin, where: str
) -> None:
    fake_garmin.faults += [Fault.status(where, 500), Fault.truncated(where)]
    assert len(list(source.fetch("ann", START, START))) == 8
    statuses = [seen.status for seen in fake_garmin.seen if where in seen.path]
    assert statuses == [500, 200, 200]


@pytest.mark.parametrize(
    "fault",
    [Fault.truncated("maxmet", times=3), Fault.body("maxmet", b"<html>maintenance</html>", times=3)],
    ids=["truncated", "html"],
)
def test_a_body_that_never_comes_whole_costs_its_own_question(
    source: GarminConnectSource, fake_garmin: FakeGarmin, fault: Fault
) -> None:
    fake_garmin.faults.append(fault)
    came, _ = _until_it_raises(source.fetch("ann", START, END), Unanswered)
    assert len(came) == 14 and len(fake_garmin.asked("maxmet")) == 3


def test_an_answer_that_takes_too_long_is_asked_for_again(
    source: GarminConnectSource, fake_garmin: FakeGarmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TIMEOUT_S", 0.2)
    fake_garmin.faults.append(Fault.slow("maxmet", 0.5))
    assert len(list(source.fetch("ann", START, START))) == 8
    assert len(fake_garmin.asked("maxmet")) == 2


def test_a_body_without_end_is_not_read(
    source: GarminConnectSource, fake_garmin: FakeGarmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_DOCUMENT_BYTES", 1000)
    fake_garmin.faults.append(Fault.body("maxmet", b"[" + b" " * 300_000 + b"]"))
    with pytest.raises(SourceError, match="more than 1000 bytes"):
        list(source.fetch("ann", START, START))
    assert len(fake_garmin.asked("maxmet")) == 1


def test_403_names_what_was_refused(source: GarminConnectSource, fake_garmin: FakeGarmin) -> None:
    fake_garmin.faults.append(Fault.status("usersummary", 403))
    came, error = _until_it_raises(source.fetch("ann", START, START), Unanswered)
    assert len(came) == 7 and "ann no answer to day summary of 2026-02-01 (HTTP 403" in str(error)
    assert not isinstance(error, LoginNeeded)


def test_requests_are_a_second_apart(source: GarminConnectSource, fake_garmin: FakeGarmin, clock: Any) -> None:
    list(source.fetch("ann", START, END))
    assert clock.now_s == len(fake_garmin.seen) - 1


def test_requests_say_who_asks(source: GarminConnectSource, fake_garmin: FakeGarmin) -> None:
    list(source.fetch("ann", START, START))
    assert {"garmin-fitness-forecast" in seen.headers["user-agent"] for seen in fake_garmin.seen} == {True}


def test_nothing_is_asked_when_all_is_held(source: GarminConnectSource, fake_garmin: FakeGarmin) -> None:
    assert list(source.fetch("ann", date(2020, 1, 1), END, lambda *_: True)) == []
    assert fake_garmin.seen == []


def test_a_fetch_into_raw_and_again(source: GarminConnectSource, fake_garmin: FakeGarmin, s3: Any, bucket: str) -> None:
    now = datetime(2026, 3, 5, 4, 30, tzinfo=UTC)
    first = fetch_athlete(s3, bucket, source, "ann", (START, END), now, live=True)
    assert first.written == 15 and first.rejected == 0
    keys = list(list_keys(s3, bucket, "raw/"))
    fake_garmin.seen.clear()
    assert fetch_athlete(s3, bucket, source, "ann", (START, END), now, live=True).written == 0
    assert fake_garmin.seen == [] and list(list_keys(s3, bucket, "raw/")) == keys


@pytest.mark.parametrize(("start", "end", "athlete"), [(END, START, "ann"), (START, END, "../ann")])
def test_a_wrong_question_is_refused_before_anything_is_asked(
    source: GarminConnectSource, fake_garmin: FakeGarmin, start: date, end: date, athlete: str
) -> None:
    with pytest.raises(SourceError):
        source.fetch(athlete, start, end)
    assert fake_garmin.seen == []
