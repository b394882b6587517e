import builtins
import json
import logging
import tempfile
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import garminexport.backup
import pytest
from garminexport.garminclient import GarminClient
from garth import sso

from include.garmin.backup import BackupSource
from include.garmin.connect.garminexport_client import API, OAUTH1_FILE, OAUTH2_FILE
from include.garmin.connect.garminexport_source import GarminExportSource
from include.garmin.connect.manners import Manners, OutOfService
from include.garmin.connect.tokens import Tokens, TokenStore
from include.garmin.connect.unanswered import DOUBTED_AFTER, Unanswered
from include.garmin.document import LoginNeeded, RawDocument, SourceError, TooManyRequests
from tests.garmin.connect.conftest import Clock
from tests.garmin.connect.fake_garmin import Account, FakeGarmin, Fault

PROJECT = "test-forecast"
TODAY = date(2026, 3, 5)
NOW = datetime(2026, 3, 5, 6, 0, tzinfo=UTC)
PAGES, SUMMARIES, EXCHANGE = "/activitylist-service/", "/activity-service/activity/", "/oauth-service/oauth/exchange/"
LIST_PATH = "/activitylist-service/activities/search/activities"


def _activity(activity_id: int, day: str) -> dict[str, Any]:
    return {
        "activityId": activity_id,
        "startTimeLocal": f"{day} 07:00:00",
        "startTimeGMT": f"{day} 06:00:00",
        "activityType": {"typeKey": "running"},
        "vO2MaxValue": 50.0,
    }


def _summary(activity_id: int, day: str) -> dict[str, Any]:
    return {"activityId": activity_id, "summaryDTO": {"startTimeLocal": f"{day}T07:00:00.0", "duration": 3600.0}}


@pytest.fixture
def account() -> Account:
    days = {11: "2026-02-27", 12: "2026-03-02", 13: "2026-03-04"}
    return Account(
        activities=[_activity(each, day) for each, day in days.items()],
        summaries={each: _summary(each, day) for each, day in days.items()},
    )


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No password and no code is ever asked for, and no folder with tokens stays behind."""

    def refuse(*_: object) -> str:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(builtins, "input", refuse)
    monkeypatch.setattr("getpass.getpass", refuse)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("private")))
    sso.OAUTH_CONSUMER.clear()
    yield
    assert not list(Path(tempfile.gettempdir()).glob("garmin-tokens-*"))


@pytest.fixture
def store(ssm: Any) -> TokenStore:
    return TokenStore(ssm, PROJECT)


def _oauth2(fake_garmin: FakeGarmin, account: Account, life_s: float = 86_400, refresh_life_s: float = 86_400) -> str:
    token = fake_garmin.accounts.new_tokens(account, life_s)
    ends = {"expires_at": int(time.time() + life_s), "refresh_token_expires_at": int(time.time() + refresh_life_s)}
    return json.dumps({**token, **ends})


def _tokens(oauth1: dict[str, Any], oauth2: str) -> Tokens:
    files = {OAUTH1_FILE: json.dumps(oauth1), OAUTH2_FILE: oauth2}
    return Tokens("garminexport", files, NOW - timedelta(days=9), NOW + timedelta(days=300))


@pytest.fixture
def fresh(fake_garmin: FakeGarmin, account: Account, store: TokenStore) -> None:
    """ann's tokens, good for a day."""
    store.store("ann", _tokens(fake_garmin.accounts.oauth1_token(account), _oauth2(fake_garmin, account)))


@pytest.fixture
def stale(fake_garmin: FakeGarmin, account: Account, store: TokenStore) -> None:
    """ann's tokens of which oauth2, and what refreshes it, ended long ago."""
    oauth2 = _oauth2(fake_garmin, account, life_s=-3600, refresh_life_s=-3600)
    store.store("ann", _tokens(fake_garmin.accounts.oauth1_token(account), oauth2))


@pytest.fixture
def source(
    ssm: Any, s3: Any, bucket: str, manners: Manners, clock: Clock, fake_garmin: FakeGarmin
) -> GarminExportSource:
    return GarminExportSource(TokenStore(ssm, PROJECT), s3, bucket, TODAY, manners, now=lambda: NOW, sleep=clock.sleep)


def _fetch(source: GarminExportSource, start: date | None = date(2026, 2, 27), **options: Any) -> list[RawDocument]:
    return list(source.fetch("ann", start, None, **options))


def _slots(documents: list[RawDocument]) -> list[tuple[str, date, str]]:
    return [(document.kind, document.last_day, document.name) for document in documents]


def test_summaries_and_the_pages_that_list_them_month_by_month(source: GarminExportSource, fresh: None) -> None:
    assert _slots(_fetch(source)) == [
        ("activity", date(2026, 3, 4), "13"),
        ("activity", date(2026, 3, 2), "12"),
        ("activity_list", TODAY, "2026-03-01-to-2026-03-05-from-0"),
        ("activity", date(2026, 2, 27), "11"),
        ("activity_list", date(2026, 2, 28), "2026-02-27-to-2026-02-28-from-0"),
    ]


def test_answers_are_kept_byte_for_byte(source: GarminExportSource, account: Account, fresh: None) -> None:
    documents = _fetch(source, date(2026, 3, 3))
    assert [document.body for document in documents] == [
        json.dumps(value, indent=3).encode() + b"\r\n" for value in (account.summaries[13], [account.activities[2]])
    ]


def test_a_list_of_several_pages_is_read_to_its_end(
    source: GarminExportSource, account: Account, fake_garmin: FakeGarmin, fresh: None
) -> None:
    account.activities = [_activity(each, "2026-03-02") for each in range(1, 206)]
    documents = [each for each in _fetch(source, date(2026, 3, 1), held=_only_activities) if each.kind != "activity"]
    assert [document.name.rpartition("-")[2] for document in documents] == ["200", "100", "0"]
    assert sum(len(json.loads(document.body)) for document in documents) == 205
    assert [seen.query["limit"] for seen in fake_garmin.seen if seen.path == LIST_PATH] == ["100"] * 3


def _only_activities(kind: str, _last_day: date, _name: str) -> bool:
    return kind == "activity"


def test_without_a_start_the_whole_list_is_taken(source: GarminExportSource, fresh: None) -> None:
    assert _slots(_fetch(source, None)) == [
        ("activity_list", date(2026, 3, 4), "all-from-0"),
        ("activity", date(2026, 3, 4), "13"),
        ("activity", date(2026, 3, 2), "12"),
        ("activity", date(2026, 2, 27), "11"),
    ]


def test_what_is_held_is_not_asked_for(source: GarminExportSource, fake_garmin: FakeGarmin, fresh: None) -> None:
    held = {("activity_list", date(2026, 2, 28), "2026-02-27-to-2026-02-28-from-0"), ("activity", TODAY, "13")}
    held.add(("activity", date(2026, 3, 2), "12"))
    documents = _fetch(source, held=lambda *slot: slot in held)
    assert [document.name for document in documents] == ["13", "2026-03-01-to-2026-03-05-from-0"]
    assert len(fake_garmin.seen) == 2


def test_an_empty_account_has_one_empty_page(source: GarminExportSource, account: Account, fresh: None) -> None:
    account.activities = []
    documents = _fetch(source, date(2026, 3, 1))
    assert [json.loads(document.body) for document in documents] == [[]]


def test_an_activity_that_is_gone_meanwhile_is_kept_as_null(
    source: GarminExportSource, account: Account, fresh: None
) -> None:
    del account.summaries[13]
    assert _fetch(source, date(2026, 3, 3))[0].body == b"null"


def test_about_one_request_a_second(source: GarminExportSource, clock: Clock, fresh: None) -> None:
    assert len(_fetch(source)) == 5
    assert clock.slept == [1.0] * 4


def test_athletes_are_those_with_tokens_of_garth(source: GarminExportSource, store: TokenStore, fresh: None) -> None:
    store.store("bob", Tokens("garminconnect", {}, NOW, None))
    assert source.athletes() == ["ann"]


def test_requests_name_the_project(source: GarminExportSource, fake_garmin: FakeGarmin, fresh: None) -> None:
    _fetch(source)
    assert all(seen.headers["user-agent"].endswith(" garmin-fitness-forecast") for seen in fake_garmin.seen)


def test_a_stale_token_is_renewed_from_oauth1_and_stored_before_anything_is_asked(
    source: GarminExportSource,
    store: TokenStore,
    fake_garmin: FakeGarmin,
    stale: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked_when_stored = []
    before, put = store.load("ann"), TokenStore.store

    def note(self: TokenStore, athlete_id: str, tokens: Tokens) -> None:
        asked_when_stored.append(fake_garmin.asked(PAGES))
        put(self, athlete_id, tokens)

    monkeypatch.setattr(TokenStore, "store", note)
    assert len(_fetch(source)) == 5
    after = store.load("ann")
    assert asked_when_stored == [[]]
    assert fake_garmin.accounts.refreshes == 1
    assert after.files[OAUTH1_FILE] == before.files[OAUTH1_FILE]
    assert after.files[OAUTH2_FILE] != before.files[OAUTH2_FILE]
    assert (after.stored_at, after.good_until) == (NOW, before.good_until)
    assert json.loads(after.files[OAUTH2_FILE])["expires_at"] > time.time()


def test_a_token_is_renewed_once_for_many_questions_and_runs(
    source: GarminExportSource, fake_garmin: FakeGarmin, stale: None
) -> None:
    _fetch(source)
    _fetch(source)
    assert fake_garmin.accounts.refreshes == 1


def test_a_token_revoked_before_its_time_is_renewed(
    source: GarminExportSource, fake_garmin: FakeGarmin, fresh: None
) -> None:
    fake_garmin.accounts.revoke_access()
    assert len(_fetch(source)) == 5
    assert fake_garmin.accounts.refreshes == 1


def test_tokens_that_another_run_has_renewed_are_taken(
    source: GarminExportSource, store: TokenStore, fake_garmin: FakeGarmin, account: Account, fresh: None
) -> None:
    documents = source.fetch("ann", date(2026, 2, 27), None)
    first = next(documents)
    fake_garmin.accounts.revoke_access()
    files = {**store.load("ann").files, OAUTH2_FILE: _oauth2(fake_garmin, account)}
    store.store("ann", Tokens("garminexport", files, NOW, None))
    assert len([first, *documents]) == 5
    assert fake_garmin.accounts.refreshes == 0


def test_nothing_is_asked_when_new_tokens_cannot_be_stored(
    source: GarminExportSource, fake_garmin: FakeGarmin, stale: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SourceError("did not take the new tokens")

    monkeypatch.setattr(TokenStore, "store", refuse)
    with pytest.raises(SourceError, match="did not take the new tokens"):
        _fetch(source)
    assert fake_garmin.asked(PAGES) == []


def test_a_refresh_token_that_has_ended_is_no_reason_to_log_in(
    source: GarminExportSource, store: TokenStore, fake_garmin: FakeGarmin, account: Account
) -> None:
    oauth2 = _oauth2(fake_garmin, account, refresh_life_s=-3600)
    store.store("ann", _tokens(fake_garmin.accounts.oauth1_token(account), oauth2))
    assert len(_fetch(source)) == 5
    assert fake_garmin.accounts.refreshes == 0


def test_an_ended_oauth1_token_names_the_command_and_nobody_logs_in(
    source: GarminExportSource, fake_garmin: FakeGarmin, stale: None
) -> None:
    fake_garmin.accounts.revoke_all()
    with pytest.raises(LoginNeeded, match="make garmin-login ATHLETE=ann"):
        _fetch(source)
    assert {seen.host for seen in fake_garmin.seen} == {"connectapi.garmin.com", "thegarth.s3.amazonaws.com"}


def test_tokens_refused_although_renewed_name_the_command(
    source: GarminExportSource, fake_garmin: FakeGarmin, fresh: None
) -> None:
    fake_garmin.faults.append(Fault.status(PAGES, 401, times=9))
    with pytest.raises(LoginNeeded, match="refuses the renewed tokens of ann: run `make garmin-login ATHLETE=ann`"):
        _fetch(source)
    assert len(fake_garmin.asked(PAGES)) == 2


@pytest.mark.parametrize(
    "files", [{}, {OAUTH1_FILE: "{}", OAUTH2_FILE: "{}"}, {OAUTH1_FILE: '{"oauth_token": "hush"', OAUTH2_FILE: "[]"}]
)
def test_tokens_that_garth_cannot_read_name_the_command(
    source: GarminExportSource, store: TokenStore, fake_garmin: FakeGarmin, files: dict[str, str]
) -> None:
    store.store("ann", Tokens("garminexport", files, NOW, None))
    with pytest.raises(LoginNeeded, match="make garmin-login ATHLETE=ann") as refused:
        _fetch(source)
    assert "hush" not in _whole_chain(refused.value)
    assert fake_garmin.seen == []


def test_an_athlete_without_tokens_or_with_those_of_another_client_is_an_error(
    source: GarminExportSource, store: TokenStore
) -> None:
    with pytest.raises(LoginNeeded, match="make garmin-login ATHLETE=ann"):
        _fetch(source)
    store.store("ann", Tokens("garminconnect", {}, NOW, None))
    with pytest.raises(SourceError, match="are of garminconnect"):
        _fetch(source)


def test_a_range_that_ends_before_it_starts_and_an_impossible_id_are_errors(source: GarminExportSource) -> None:
    with pytest.raises(SourceError, match="start 2026-03-03 is after end 2026-03-02"):
        source.fetch("ann", date(2026, 3, 3), date(2026, 3, 2))
    with pytest.raises(SourceError, match="athlete id"):
        source.fetch("../ann", None, None)
    assert list(source.fetch("ann", TODAY + timedelta(days=1), None)) == []


def test_429_stops_at_once_and_what_came_before_is_good(
    source: GarminExportSource, fake_garmin: FakeGarmin, fresh: None
) -> None:
    fake_garmin.faults.append(Fault.status(SUMMARIES, 429, times=9, after=1, Retry_After="1800"))
    documents = source.fetch("ann", date(2026, 2, 27), None)
    assert next(documents).name == "13"
    assert next(documents).name == "2026-03-01-to-2026-03-05-from-0-unfinished"
    with pytest.raises(TooManyRequests) as stopped:
        next(documents)
    assert stopped.value.retry_after_s == 1800
    assert len(fake_garmin.asked(SUMMARIES)) == 2


def test_429_of_the_renewal_stops_too(source: GarminExportSource, fake_garmin: FakeGarmin, stale: None) -> None:
    fake_garmin.faults.append(Fault.status(EXCHANGE, 429, times=9, Retry_After="60"))
    with pytest.raises(TooManyRequests):
        _fetch(source)
    assert len(fake_garmin.asked(EXCHANGE)) == 1


def _server_error(where: str, times: int) -> Fault:
    return Fault.status(where, 500, times=times)


def _html(where: str, times: int) -> Fault:
    return Fault.body(where, b"<html>Bad gateway</html>", times=times)


def _no_token(where: str, times: int) -> Fault:
    return Fault.body(where, b'{"message": "later"}', times=times)


@pytest.mark.parametrize(
    ("where", "broken"),
    [
        (EXCHANGE, _server_error),
        (EXCHANGE, _html),
        (EXCHANGE, _no_token),
        ("oauth_consumer", _no_token),
    ],
)
def test_what_breaks_twice_is_asked_a_third_time_and_no_more(
    source: GarminExportSource, fake_garmin: FakeGarmin, stale: None, where: str, broken: Any
) -> None:
    fake_garmin.faults.append(broken(where, times=2))
    assert len(_fetch(source)) == 5
    sso.OAUTH_CONSUMER.clear()
    fake_garmin.accounts.revoke_access()
    fake_garmin.faults.append(broken(where, times=99))
    before = len(fake_garmin.seen)
    with pytest.raises(SourceError, match="in 3 tries"):
        _fetch(source)
    assert sum(1 for seen in fake_garmin.seen[before:] if where in seen.place) == 3


@pytest.mark.parametrize(
    ("where", "broken", "kinds"),
    [(PAGES, Fault.truncated, []), (SUMMARIES, _html, ["activity_list"] * 2), (f"{SUMMARIES}12", _server_error, None)],
)
def test_a_question_that_is_never_answered_blocks_no_other(
    source: GarminExportSource, fake_garmin: FakeGarmin, fresh: None, where: str, broken: Any, kinds: list[str] | None
) -> None:
    fake_garmin.faults.append(broken(where, times=99))
    came: list[str] = []
    with pytest.raises(Unanswered, match=r"no answer to activity(_list)? of .*; all else is kept"):
        came.extend(document.kind for document in source.fetch("ann", date(2026, 2, 27), None))
    assert came == (["activity", "activity_list"] * 2 if kinds is None else kinds)


def test_a_refusal_of_everything_stops_after_a_few_questions(
    source: GarminExportSource, fake_garmin: FakeGarmin, fresh: None
) -> None:
    fake_garmin.faults.append(Fault.status("connectapi", 403, times=99))
    with pytest.raises(OutOfService, match=r"activity_list of .*403.*nor does it answer anything else"):
        list(source.fetch("ann", date(2016, 1, 1), None))
    assert len(fake_garmin.asked(PAGES)) == DOUBTED_AFTER


def test_a_blocked_address_is_told_from_ended_tokens(
    source: GarminExportSource, fake_garmin: FakeGarmin, fresh: None
) -> None:
    fake_garmin.faults.append(Fault.status(PAGES, 403))
    with pytest.raises(Unanswered, match="HTTP 403; it may be blocking this address") as refused:
        _fetch(source)
    assert not isinstance(refused.value, LoginNeeded)


def test_a_list_that_is_none_is_an_error(source: GarminExportSource, fake_garmin: FakeGarmin, fresh: None) -> None:
    fake_garmin.faults.append(Fault.body(PAGES, b'{"activities": []}'))
    with pytest.raises(SourceError, match="is no list any more"):
        _fetch(source)


def test_token_files_are_private_and_gone_when_the_run_stops(source: GarminExportSource, fresh: None) -> None:
    documents = source.fetch("ann", date(2026, 2, 27), None)
    next(documents)
    (folder,) = Path(tempfile.gettempdir()).glob("garmin-tokens-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in folder.iterdir()) == [OAUTH1_FILE, OAUTH2_FILE]
    documents.close()  # type: ignore[attr-defined]
    assert not folder.exists()


@pytest.mark.parametrize(("where", "status"), [(PAGES, 401), (SUMMARIES, 500), (EXCHANGE, 401)])
def test_no_secret_is_in_logs_or_errors(
    source: GarminExportSource,
    fake_garmin: FakeGarmin,
    stale: None,
    caplog: pytest.LogCaptureFixture,
    where: str,
    status: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    fake_garmin.faults.append(Fault.status(where, status, times=99))
    with pytest.raises(SourceError) as refused:
        _fetch(source)
    # botocore tells whole answers of Parameter Store at DEBUG; the rest is Garmin's side.
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("botocore")]
    assert any("garmin" in message or "GET" in message for message in logged)
    told = " ".join([_whole_chain(refused.value), *logged])
    assert not [secret for secret in fake_garmin.secrets() if secret in told]


def _whole_chain(error: BaseException) -> str:
    """What a traceback shows, and what the exceptions behind it hold."""
    chain: list[str] = ["".join(traceback.format_exception(error))]
    behind: BaseException | None = error
    while behind is not None:
        response = getattr(behind, "response", None)
        headers = dict(response.request.headers) if response is not None else {}
        chain.append(f"{behind!r} {vars(behind)} {headers}")
        behind = behind.__context__
    return " ".join(chain)


def test_a_backup_that_garminexport_writes_is_the_same_as_the_live_answers(
    source: GarminExportSource, store: TokenStore, fresh: None, tmp_path: Path
) -> None:
    """The client as its authors ship it, against the same account: both doors lead to the same activities."""
    for name, text in store.load("ann").files.items():
        (tmp_path / name).write_text(text)
    client, folder = GarminClient("", "", str(tmp_path)), tmp_path / "ann"
    folder.mkdir()

    for listed in client.list_activities():
        garminexport.backup.download(client, listed, _Once(), str(folder), ["json_summary"])
    backed_up = {each.name: json.loads(each.body) for each in BackupSource(folder).fetch("ann", None, None)}
    assert backed_up == {each.name: json.loads(each.body) for each in _fetch(source) if each.kind == "activity"}


class _Once:
    def call(self, function: Any, *args: Any) -> Any:
        return function(*args)


def test_the_paths_are_those_that_garminexport_asks(
    source: GarminExportSource, store: TokenStore, fake_garmin: FakeGarmin, fresh: None, tmp_path: Path
) -> None:
    for name, text in store.load("ann").files.items():
        (tmp_path / name).write_text(text)
    client = GarminClient("", "", str(tmp_path))
    client.get_activity_summary(client.list_activities()[0][0])
    theirs = {seen.place for seen in fake_garmin.seen}
    fake_garmin.seen.clear()
    _fetch(source, date(2026, 3, 3))
    assert {seen.place for seen in fake_garmin.seen} == theirs
    assert all(place.startswith(API.removeprefix("https://")) for place in theirs)
