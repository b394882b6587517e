import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.curate import curate
from include.curate.store import write_tables
from include.garmin import KeyNeeded, RawDocument, SourceError, TooManyRequests
from include.garmin.connect.manners import Manners
from include.garmin.connect.personal_client import NO_DATA
from include.garmin.connect.personal_key import BEARER_FILE, tokens_of_key
from include.garmin.connect.personal_source import PersonalApiSource
from include.garmin.connect.tokens import Tokens, TokenStore
from include.garmin.fetching import fetch_athlete
from include.garmin.holdings import list_keys
from include.garmin.raw import read_raw
from include.ingest.report import Report
from tests.garmin.connect.fake_garmin import Fault
from tests.garmin.connect.fake_personal_api import FakePersonalApi, PersonalAccount
from tests.garmin.connect.fake_personal_api.account import run, zipped

TODAY = date(2026, 3, 5)
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
START, END = date(2026, 2, 1), date(2026, 2, 3)
SPAN = "2026-02-01-to-2026-02-03"
LIST, DOWNLOADS, SUMMARIES = "/activities/search", "/download-service/", "/dailysummaries"


@pytest.fixture
def account() -> PersonalAccount:
    account = PersonalAccount()
    account.add_run(501, START, 46.8)
    account.add_run(502, END, 47.3)
    account.add_days(START, END)
    return account


@pytest.fixture
def fake(s3: Any, account: PersonalAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePersonalApi]:
    with FakePersonalApi(account) as fake:
        monkeypatch.setenv("GARMIN_PERSONAL_API_BASE_URL", fake.url)
        yield fake


@pytest.fixture
def store(ssm: Any, account: PersonalAccount) -> TokenStore:
    store = TokenStore(ssm, "gff")
    store.store("ann", tokens_of_key(account.key, NOW, NOW + timedelta(days=90)))
    return store


@pytest.fixture
def source(s3: Any, bucket: str, store: TokenStore, fake: FakePersonalApi, manners: Manners) -> PersonalApiSource:
    return _source(s3, bucket, store, manners)


def _source(s3: Any, bucket: str, store: TokenStore, manners: Manners, now: datetime = NOW) -> PersonalApiSource:
    return PersonalApiSource(store, s3, bucket, TODAY, manners, now=lambda: now, sleep=lambda _: None)


def _slots(documents: list[RawDocument]) -> list[tuple[str, date, str]]:
    return [(document.kind, document.last_day, document.name) for document in documents]


def _until_it_raises(documents: Iterator[RawDocument], error: type[Exception]) -> tuple[list[RawDocument], Any]:
    came: list[RawDocument] = []
    with pytest.raises(error) as caught:
        came.extend(documents)
    return came, caught.value


def _holding(documents: list[RawDocument]) -> Callable[[str, date, str], bool]:
    return lambda *slot: slot in set(_slots(documents))


def test_athletes_are_those_with_a_key(source: PersonalApiSource, store: TokenStore) -> None:
    store.store("bob", Tokens("garminconnect", {}, NOW, None))
    assert source.athletes() == ["ann"]


def test_all_kinds_of_a_range_are_asked_one_at_a_time(source: PersonalApiSource, fake: FakePersonalApi) -> None:
    assert _slots(list(source.fetch("ann", START, END))) == [
        ("day", END, f"summaries-{SPAN}"),
        ("sleep", END, f"summaries-{SPAN}"),
        ("hrv", END, f"summaries-{SPAN}"),
        ("day", END, f"weights-{SPAN}"),
        ("activity", END, "502-fit"),
        ("activity", START, "501-fit"),
        ("activity_list", END, f"{SPAN}-from-0-by-45"),
    ]
    assert fake.most_at_once == 1 and fake.exchanges() == 1


def test_questions_are_a_second_apart(source: PersonalApiSource, fake: FakePersonalApi, clock: Any) -> None:
    list(source.fetch("ann", START, END))
    assert clock.now_s >= len(fake.seen) - 1


def test_bodies_are_as_received(source: PersonalApiSource, account: PersonalAccount) -> None:
    bodies = {(d.kind, d.name): d.body for d in source.fetch("ann", START, END)}
    expected = json.dumps({"data": [account.summaries[f"2026-02-0{day}"] for day in (1, 2, 3)]}, indent=3)
    assert bodies["day", f"summaries-{SPAN}"] == expected.encode() + b"\r\n"
    assert bodies["activity_list", f"{SPAN}-from-0-by-45"].endswith(b"]\r\n")


def test_tables_hold_what_came_in_their_units(
    s3: Any, bucket: str, source: PersonalApiSource, account: PersonalAccount
) -> None:
    account.weights["2026-01-20"] = 99_000.0  # told as the weight before the range
    fetch_athlete(s3, bucket, source, "ann", (START, END), NOW, live=True)
    tables = curate(read_raw(s3, bucket, "ann"))
    assert dict(tables.unread) == {}
    run = tables.activities.set_index("activity_id").loc["502"]
    assert (run["sport"], run["distance_m"], run["duration_s"]) == ("running", 8040.5, 2710.25)
    assert (run["energy_kcal"], run["avg_hr_bpm"], run["avg_speed_mps"]) == (540.0, 148.0, 2.967)
    assert (run["training_load"], run["aerobic_te"], run["hr_zone_2_s"]) == (142.6, 3.4, 600.0)
    assert not run["is_manual"]
    day = tables.days.set_index("day").loc["2026-02-01"]
    assert (day["resting_hr_bpm"], day["hrv_ms"], day["sleep_s"]) == (48.0, 52.0, 27_000.0)
    assert (day["stress_avg"], day["body_battery_max"], day["body_battery_min"]) == (29.0, 96.0, 21.0)
    assert (day["steps"], day["weight_kg"]) == (9000.0, 70.5)
    assert len(tables.days) == 3
    assert tables.vo2max[["vo2max", "is_precise"]].to_numpy().tolist() == [[46.8, True], [47.3, True]]


def test_a_weight_in_kilograms_is_one_too(s3: Any, bucket: str, source: Any, account: PersonalAccount) -> None:
    account.weights["2026-02-01"] = 70.5
    fetch_athlete(s3, bucket, source, "ann", (START, END), NOW, live=True)
    days = curate(read_raw(s3, bucket, "ann")).days.set_index("day")
    assert days.loc["2026-02-01", "weight_kg"] == 70.5


def test_a_manual_activity_and_a_parent_are_known_by_the_names_of_this_list(
    s3: Any, bucket: str, source: PersonalApiSource, account: PersonalAccount
) -> None:
    account.activities[0] |= {"isManualActivity": True, "averageHR": None, "vO2MaxValue": None}
    fetch_athlete(s3, bucket, source, "ann", (START, END), NOW, live=True)
    activities = curate(read_raw(s3, bucket, "ann")).activities.set_index("activity_id")
    assert activities.loc["501", "is_manual"] and not activities.loc["502", "is_manual"]


def test_a_month_is_within_every_limit_and_the_newest_comes_first(
    source: PersonalApiSource, fake: FakePersonalApi
) -> None:
    documents = list(source.fetch("ann", date(2025, 11, 20), date(2026, 2, 3)))
    ends = [each.last_day for each in documents if each.kind == "sleep"]
    assert ends == [END, date(2026, 1, 31), date(2025, 12, 31), date(2025, 11, 30)]
    assert {each.status for each in fake.seen} <= {200, 204}


def test_pages_hold_no_more_than_garmin_answers(
    source: PersonalApiSource, account: PersonalAccount, fake: FakePersonalApi
) -> None:
    for number in range(100):
        account.add_run(1000 + number, date(2026, 1, 1 + number % 28))
    documents = list(source.fetch("ann", date(2026, 1, 1), date(2026, 1, 31)))
    pages = [document for document in documents if document.kind == "activity_list"]
    assert [len(json.loads(page.body)) for page in pages] == [45, 10, 45]  # the first comes last
    assert {each.query["limit"] for each in fake.asked(LIST)} == {"45"}
    assert len(fake.asked(DOWNLOADS)) == 28  # one a day: its last run's


def test_without_a_start_it_is_the_whole_history(source: PersonalApiSource, account: PersonalAccount) -> None:
    account.add_run(400, date(2025, 12, 24), 45.6)
    account.add_run(100, date(1989, 12, 31), 45.0)  # a clock that was never set
    account.activities.append(run(900, datetime(2126, 3, 3, 7), 45.0))
    documents = list(source.fetch("ann", None, None))
    assert _slots(documents)[0] == ("activity_list", END, "all-from-0-by-45")
    assert {each.name for each in documents if each.kind == "activity"} == {"502-fit", "501-fit", "400-fit"}
    assert [each.last_day for each in documents if each.kind == "hrv"][-1] == date(2025, 12, 31)


def test_nothing_held_is_asked_again(source: PersonalApiSource, fake: FakePersonalApi) -> None:
    documents = list(source.fetch("ann", START, END))
    fake.seen.clear()
    assert list(source.fetch("ann", START, END, _holding(documents))) == []
    assert fake.seen == []


def test_an_empty_account_yields_documents_without_rows(
    source: PersonalApiSource, account: PersonalAccount, s3: Any, bucket: str
) -> None:
    day = date(2026, 1, 10)
    documents = list(source.fetch("ann", day, day))
    bodies = {(d.kind, d.name.partition("-")[0]): d.body for d in documents}
    assert bodies["hrv", "summaries"] == NO_DATA
    fetch_athlete(s3, bucket, source, "ann", (day, day), NOW, live=True)
    tables = curate(read_raw(s3, bucket, "ann"))
    assert len(tables.days) == 0 and dict(tables.unread) == {}


def test_the_file_is_asked_only_where_the_table_has_no_precise_value_of_the_run(
    s3: Any, bucket: str, source: PersonalApiSource, account: PersonalAccount, fake: FakePersonalApi
) -> None:
    fetch_athlete(s3, bucket, source, "ann", (START, END), NOW, live=True)
    write_tables(s3, bucket, "ann", curate(read_raw(s3, bucket, "ann")))
    account.add_run(503, END, 48.6, hour=18)
    fake.seen.clear()
    names = [each.name for each in source.fetch("ann", START, END) if each.kind == "activity"]
    assert names == ["503-fit"]  # the day has 47.3 of its morning's run, and the evening's is 49 in the list
    assert len(fake.asked(DOWNLOADS)) == 1


@pytest.mark.parametrize(
    "changed",
    [{"vO2MaxValue": None}, {"vO2MaxValue": 47.4}, {"activityType": {"typeKey": "walking"}}, {"parentId": 77}],
)
def test_no_file_is_asked_of_what_tells_nothing_more(
    source: PersonalApiSource, account: PersonalAccount, changed: dict[str, Any]
) -> None:
    account.activities[1] |= changed
    assert [each.name for each in source.fetch("ann", START, END) if each.kind == "activity"] == ["501-fit"]


@pytest.mark.parametrize("body", [b"no zip", zipped({"502.fit": b"no FIT file"}), zipped({"502.fit": b""})])
def test_a_file_that_cannot_be_decoded_costs_itself_alone(
    source: PersonalApiSource, account: PersonalAccount, body: bytes
) -> None:
    account.files[502] = body
    documents = {each.name: each for each in source.fetch("ann", START, END)}
    assert "activity 502" in str(documents["502-fit"].unreadable)
    assert documents["501-fit"].unreadable is None and f"{SPAN}-from-0-by-45" in documents


def test_an_activity_without_a_fit_file_has_no_data(source: PersonalApiSource, account: PersonalAccount) -> None:
    account.files[501] = zipped({"501.tcx": b"<xml/>"})
    del account.files[502]
    bodies = {each.name: each.body for each in source.fetch("ann", START, END)}
    assert bodies["501-fit"] == bodies["502-fit"] == NO_DATA


def test_heart_rate_is_asked_of_days_whose_summary_lacks_the_resting_one(
    s3: Any, bucket: str, source: PersonalApiSource, account: PersonalAccount, fake: FakePersonalApi
) -> None:
    account.summaries["2026-02-02"]["heartRate"]["restingValue"] = None
    account.summaries["2026-02-03"]["heartRate"] = None
    account.heart_rate["2026-02-02"] = {
        "userProfilePK": 7001, "calendarDate": "2026-02-02", "maxHeartRate": 150, "restingHeartRate": 51,
        "heartRateValues": [[1770000000000, 60]],
    }  # fmt: skip
    fetch_athlete(s3, bucket, source, "ann", (START, END), NOW, live=True)
    days = curate(read_raw(s3, bucket, "ann")).days.set_index("day")
    assert days["resting_hr_bpm"].tolist()[:2] == [48.0, 51.0]
    assert [each.query["date"] for each in fake.asked("/dailyHeartRate")] == ["2026-02-02"]


def test_a_broken_off_fetch_goes_on_where_it_stopped(
    s3: Any, bucket: str, source: PersonalApiSource, account: PersonalAccount, fake: FakePersonalApi
) -> None:
    account.add_run(400, date(2025, 12, 24), 45.6)
    days = (date(2025, 12, 1), END)
    fake.faults.append(Fault.status(f"{SUMMARIES}.*2025-12", 429, Retry_After="14"))
    with pytest.raises(TooManyRequests) as caught:
        fetch_athlete(s3, bucket, source, "ann", days, NOW, live=True)
    assert caught.value.retry_after_s == 14.0
    kept = list(list_keys(s3, bucket, "raw/"))
    assert any("502-fit" in key for key in kept) and not any("400-fit" in key for key in kept)
    fake.seen.clear()
    with pytest.raises(TooManyRequests):  # the 14 seconds are obeyed by the next run too
        fetch_athlete(s3, bucket, source, "ann", days, NOW + timedelta(seconds=5), live=True)
    assert fake.seen == []
    fetch_athlete(s3, bucket, source, "ann", days, NOW + timedelta(seconds=15), live=True)
    assert {each.query.get("endDate", "2025-12")[:7] for each in fake.seen} == {"2025-12"}
    assert any("400-fit" in key for key in list_keys(s3, bucket, "raw/"))


def test_a_429_stops_everything_at_once(source: PersonalApiSource, fake: FakePersonalApi) -> None:
    fake.faults.append(Fault.status("/sleep-service/", 429, Retry_After="14"))
    came, error = _until_it_raises(source.fetch("ann", START, END), TooManyRequests)
    assert error.retry_after_s == 14.0 and [each.kind for each in came] == ["day"]
    assert fake.seen[-1].status == 429


def test_a_passing_failure_is_asked_again(source: PersonalApiSource, fake: FakePersonalApi) -> None:
    fake.faults += [Fault.status(SUMMARIES, 503, times=2), Fault.truncated("/sleep-service/"), Fault.body(LIST, b"<")]
    assert len(list(source.fetch("ann", START, END))) == 7


def test_a_question_that_garmin_never_answers_costs_no_other(
    source: PersonalApiSource, fake: FakePersonalApi, account: PersonalAccount
) -> None:
    fake.faults += [Fault.status("/weight-service/", 400, times=99), Fault.status(f"{DOWNLOADS}.*502", 500, times=99)]
    came, error = _until_it_raises(source.fetch("ann", START, END), SourceError)
    assert _slots(came) == [
        ("day", END, f"summaries-{SPAN}"),
        ("sleep", END, f"summaries-{SPAN}"),
        ("hrv", END, f"summaries-{SPAN}"),
        ("activity", START, "501-fit"),
        ("activity_list", END, f"{SPAN}-from-0-by-45-incomplete"),
    ]
    assert "2 questions about ann" in str(error) and f"weights-{SPAN}" in str(error) and "502-fit" in str(error)
    fake.faults.clear()
    later = _slots(list(source.fetch("ann", START, END, _holding(came))))
    assert later == [
        ("day", END, f"weights-{SPAN}"),
        ("activity", END, "502-fit"),
        ("activity_list", END, f"{SPAN}-from-0-by-45"),
    ]


def test_a_day_whose_heart_rate_got_no_answer_is_asked_again(
    source: PersonalApiSource, fake: FakePersonalApi, account: PersonalAccount
) -> None:
    account.summaries["2026-02-02"]["heartRate"]["restingValue"] = None
    fake.faults.append(Fault.status("/dailyHeartRate", 500, times=3))
    came, _ = _until_it_raises(source.fetch("ann", START, END), SourceError)
    assert ("day", END, f"summaries-{SPAN}-incomplete") in _slots(came)
    later = _slots(list(source.fetch("ann", START, END, _holding(came))))
    assert later == [("day", date(2026, 2, 2), "heart-rate"), ("day", END, f"summaries-{SPAN}")]


@pytest.mark.parametrize("athlete_id", ["ann", "a" * 64])
def test_the_command_is_within_what_airflow_keeps_of_a_failure(
    s3: Any, bucket: str, store: TokenStore, fake: FakePersonalApi, manners: Manners, athlete_id: str
) -> None:
    store.store(athlete_id, tokens_of_key("revoked", NOW, NOW + timedelta(days=90)))
    source = _source(s3, bucket, store, manners)
    report = Report()
    report.for_each([athlete_id], "fetch", lambda name: list(source.fetch(name, START, END)))
    assert f"`make garmin-key ATHLETE={athlete_id}`" in report.failures[0].reason
    assert report.failures[0].reason.startswith("KeyNeeded: ")


def test_a_service_out_of_order_is_left_alone(source: PersonalApiSource, fake: FakePersonalApi) -> None:
    fake.faults.append(Fault.status("^/(?!personalapitoken)", 502, times=999))
    came, error = _until_it_raises(source.fetch("ann", START, END), SourceError)
    assert came == [] and "502" in str(error)
    assert len(fake.seen) == 1 + 3 * 3  # three questions, three tries each


def test_a_long_pause_that_garmin_asks_for_ends_the_fetch(source: PersonalApiSource, fake: FakePersonalApi) -> None:
    fake.faults.append(Fault.status(SUMMARIES, 503, times=99, Retry_After="600"))
    came, error = _until_it_raises(source.fetch("ann", START, END), SourceError)
    assert came == [] and "run again after 600 s" in str(error) and len(fake.asked(SUMMARIES)) == 1


def test_a_blocked_address_is_said_to_be_one(source: PersonalApiSource, fake: FakePersonalApi) -> None:
    fake.faults.append(Fault.status("/personal-api-key/token", 403, times=99))
    _, error = _until_it_raises(source.fetch("ann", START, END), SourceError)
    assert "blocking this address" in str(error) and not isinstance(error, KeyNeeded)


def test_tasks_of_a_day_share_one_exchange(
    s3: Any, bucket: str, store: TokenStore, fake: FakePersonalApi, manners: Manners
) -> None:
    for _ in range(3):
        list(_source(s3, bucket, store, manners).fetch("ann", START, END))
    assert fake.exchanges() == 1


def test_a_token_that_ends_is_exchanged_anew(
    s3: Any, bucket: str, store: TokenStore, account: PersonalAccount, fake: FakePersonalApi, manners: Manners
) -> None:
    list(_source(s3, bucket, store, manners).fetch("ann", START, END))
    tokens = store.load("ann")
    kept = json.loads(tokens.files[BEARER_FILE])
    kept["expires_at"] -= 86_400 - 1800  # half an hour is left, and the client wants one
    store.store("ann", Tokens("personalapi", {**tokens.files, BEARER_FILE: json.dumps(kept)}, NOW, None))
    list(_source(s3, bucket, store, manners).fetch("ann", START, END))
    assert fake.exchanges() == 2


def test_a_token_revoked_before_its_end_is_exchanged_anew(source: PersonalApiSource, fake: FakePersonalApi) -> None:
    documents = source.fetch("ann", START, END)
    first = next(documents)
    fake.revoke_bearers()
    assert len([first, *documents]) == 7 and fake.exchanges() == 2


def test_a_revoked_key_is_one_failure_that_names_the_command(source: PersonalApiSource, fake: FakePersonalApi) -> None:
    documents = source.fetch("ann", START, END)
    next(documents)
    fake.revoke_key()
    _, error = _until_it_raises(documents, KeyNeeded)
    assert "`make garmin-key ATHLETE=ann`" in str(error) and "/app/settings/personalApiToken" in str(error)
    assert fake.exchanges() == 2


def test_an_ended_key_says_when_it_ended(
    s3: Any, bucket: str, store: TokenStore, fake: FakePersonalApi, manners: Manners
) -> None:
    fake.revoke_key()
    later = _source(s3, bucket, store, manners, NOW + timedelta(days=91))
    _, error = _until_it_raises(later.fetch("ann", START, END), KeyNeeded)
    assert "2026-06-03" in str(error)


@pytest.mark.parametrize("stored", [None, Tokens("garminconnect", {"garmin_tokens.json": "{}"}, NOW, None)])
def test_without_a_key_the_command_is_named(
    s3: Any, bucket: str, ssm: Any, fake: FakePersonalApi, manners: Manners, stored: Tokens | None
) -> None:
    store = TokenStore(ssm, "gff")
    if stored:
        store.store("bob", stored)
    _, error = _until_it_raises(_source(s3, bucket, store, manners).fetch("bob", START, END), KeyNeeded)
    assert "`make garmin-key ATHLETE=bob`" in str(error) and fake.seen == []


@pytest.mark.parametrize(("days_before", "warned"), [(8, False), (7, True), (0, True)])
def test_a_week_before_its_end_a_key_is_warned_of(
    s3: Any, bucket: str, store: TokenStore, fake: FakePersonalApi, manners: Manners, days_before: int, warned: bool
) -> None:
    source = _source(s3, bucket, store, manners, NOW + timedelta(days=90 - days_before))
    assert source.warnings("ann") == []
    list(source.fetch("ann", START, END))
    sentences = source.warnings("ann")
    assert len(sentences) == warned
    assert not warned or ("2026-06-03" in sentences[0] and "`make garmin-key ATHLETE=ann`" in sentences[0])


@pytest.mark.parametrize("broken", ["", "/personal-api-key/token", "/sleep-service/", "revoked"])
def test_neither_key_nor_token_is_told(
    s3: Any, bucket: str, source: Any, store: TokenStore, fake: FakePersonalApi, caplog: Any, broken: str
) -> None:
    caplog.set_level(logging.INFO)  # botocore writes every request of its own at DEBUG
    if broken == "revoked":
        fake.revoke_key()
    elif broken:
        fake.faults.append(Fault.status(broken, 500, times=99))
    told = [repr(store.load("ann")), repr(source)]
    try:
        told += [repr(each) for each in source.fetch("ann", START, END)]
    except SourceError as error:
        chain = [error, error.__cause__, error.__context__]
        told += [f"{each!r} {vars(each) if each else ''}" for each in chain]
    text = "\n".join([*told, caplog.text])
    assert [secret for secret in fake.secrets() if secret in text] == []


def test_a_bearer_that_cannot_be_kept_does_not_stop_the_fetch(
    source: PersonalApiSource, monkeypatch: pytest.MonkeyPatch, store: TokenStore
) -> None:
    def refuse(*_: object) -> None:
        raise SourceError("full")

    monkeypatch.setattr(store, "store", refuse)
    assert len(list(source.fetch("ann", START, END))) == 7


def test_a_range_the_wrong_way_round_is_refused(source: PersonalApiSource) -> None:
    with pytest.raises(SourceError, match="is after end"):
        source.fetch("ann", END, START)
