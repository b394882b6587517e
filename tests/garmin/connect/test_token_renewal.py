import base64
import json
import logging
import threading
import time
import traceback
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from include.garmin import LoginNeeded, SourceError, TooManyRequests
from include.garmin.connect.connection import TOKEN_FILE
from include.garmin.connect.garminconnect_source import GarminConnectSource
from include.garmin.connect.garminexport_source import GarminExportSource
from include.garmin.connect.lease import lease
from include.garmin.connect.manners import Manners
from include.garmin.connect.tokens import Tokens, TokenStore
from tests.garmin.connect.fake_garmin import Account, FakeGarmin, Fault, made_up

TODAY = date(2026, 3, 5)
DAY = date(2026, 2, 1)
COMMAND = "make garmin-login ATHLETE=ann"
TOKEN_SERVICE = "diauth.garmin.com/di-oauth2-service/oauth/token"


@pytest.fixture
def account() -> Account:
    account = Account()
    made_up.add_runs(account, 501, [DAY])
    made_up.add_days(account, DAY, DAY)
    return account


@pytest.fixture
def store(ssm: Any) -> TokenStore:
    return TokenStore(ssm, "gff")


@pytest.fixture
def source(s3: Any, bucket: str, ssm: Any, fake_garmin: FakeGarmin, manners: Manners) -> GarminConnectSource:
    return GarminConnectSource(TokenStore(ssm, "gff"), s3, bucket, TODAY, manners)


def _give_tokens(store: TokenStore, fake: FakeGarmin, account: Account, life_s: float = 86_400) -> Tokens:
    files = {TOKEN_FILE: fake.accounts.token_file(account, life_s)}
    tokens = Tokens("garminconnect", files, datetime(2026, 3, 1, tzinfo=UTC), None)
    store.store("ann", tokens)
    return tokens


def _fetch(source: GarminConnectSource) -> int:
    return len(list(source.fetch("ann", DAY, DAY)))


def _refreshes(fake: FakeGarmin) -> list[int]:
    """Statuses of the token service's answers."""
    return [seen.status for seen in fake.seen if seen.place == TOKEN_SERVICE]


def test_good_tokens_are_not_renewed(
    source: GarminConnectSource, store: TokenStore, fake_garmin: FakeGarmin, account: Account
) -> None:
    tokens = _give_tokens(store, fake_garmin, account)
    assert _fetch(source) == 8
    assert _refreshes(fake_garmin) == [] and store.load("ann") == tokens


def test_tokens_about_to_end_are_renewed_first(
    source: GarminConnectSource, store: TokenStore, fake_garmin: FakeGarmin, account: Account
) -> None:
    before = _give_tokens(store, fake_garmin, account, life_s=600)
    assert _fetch(source) == 8
    assert fake_garmin.seen[0].place == TOKEN_SERVICE and _refreshes(fake_garmin) == [200]
    kept = store.load("ann")
    assert kept.files != before.files and kept.client == "garminconnect"
    assert kept.good_until is not None and kept.good_until - kept.stored_at == timedelta(days=30)


@pytest.mark.parametrize("how", ["about to end", "refused in mid-run"])
def test_new_tokens_are_stored_and_confirmed_before_anything_else_is_asked(
    source: GarminConnectSource,
    store: TokenStore,
    fake_garmin: FakeGarmin,
    account: Account,
    ssm: Any,
    how: str,
) -> None:
    _give_tokens(store, fake_garmin, account, life_s=600 if how == "about to end" else 86_400)
    events: list[tuple[str, int]] = []

    def note(model: Any, **_: Any) -> None:
        events.append((model.name, len(fake_garmin.seen)))

    documents = source.fetch("ann", DAY, DAY)
    ssm.meta.events.register("before-call.ssm", note)
    try:
        next(documents)
        if how != "about to end":
            fake_garmin.accounts.revoke_access()
        assert len(list(documents)) == 7
    finally:
        ssm.meta.events.unregister("before-call.ssm", note)
    asked_until_refresh = 1 + [seen.place for seen in fake_garmin.seen].index(TOKEN_SERVICE)
    stored = events.index(("PutParameter", asked_until_refresh))
    assert events[stored + 1] == ("GetParameter", asked_until_refresh)
    assert _refreshes(fake_garmin) == [200]


def test_a_renewal_too_is_a_second_from_its_neighbours(
    source: GarminConnectSource, store: TokenStore, fake_garmin: FakeGarmin, account: Account, clock: Any
) -> None:
    _give_tokens(store, fake_garmin, account, life_s=600)
    _fetch(source)
    assert clock.now_s >= len(fake_garmin.seen) - 1


@pytest.mark.parametrize("failure", ["denied", "killed"])
def test_a_run_that_fails_between_renewal_and_storing_is_told(
    source: GarminConnectSource,
    store: TokenStore,
    fake_garmin: FakeGarmin,
    account: Account,
    ssm: Any,
    failure: str,
) -> None:
    _give_tokens(store, fake_garmin, account, life_s=600)

    def put(**_: Any) -> None:
        if failure == "killed":
            raise KeyboardInterrupt
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutParameter")

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(ssm, "put_parameter", put)
        if failure == "killed":
            with pytest.raises(KeyboardInterrupt):
                _fetch(source)
        else:
            with pytest.raises(LoginNeeded, match=f"AccessDenied.*the old ones are void.*{COMMAND}"):
                _fetch(source)
    assert fake_garmin.asked() == []
    with pytest.raises(LoginNeeded, match=COMMAND):
        _fetch(source)


def test_two_runs_at_once_renew_once(
    s3: Any, bucket: str, ssm: Any, store: TokenStore, fake_garmin: FakeGarmin, account: Account
) -> None:
    _give_tokens(store, fake_garmin, account, life_s=600)
    came: list[int] = []

    def run() -> None:
        manners = Manners(pace_s=0.0)
        own = GarminConnectSource(TokenStore(ssm, "gff"), s3, bucket, TODAY, manners, sleep=lambda _: time.sleep(0.01))
        came.append(_fetch(own))

    fake_garmin.faults.append(Fault.slow("diauth", 0.3))
    first, second = threading.Thread(target=run), threading.Thread(target=run)
    first.start()
    while not _refreshes(fake_garmin):
        time.sleep(0.005)
    second.start()
    for thread in (first, second):
        thread.join(20)
    assert came == [8, 8] and _refreshes(fake_garmin) == [200]


def test_a_renewal_of_another_run_is_taken_over(
    source: GarminConnectSource, store: TokenStore, fake_garmin: FakeGarmin, account: Account
) -> None:
    _give_tokens(store, fake_garmin, account)
    documents = source.fetch("ann", DAY, DAY)
    next(documents)
    fake_garmin.accounts.revoke_access()
    theirs = _give_tokens(store, fake_garmin, account)
    assert len(list(documents)) == 7
    assert _refreshes(fake_garmin) == [] and store.load("ann") == theirs


def test_invalid_grant_needs_a_login_and_is_asked_once(
    source: GarminConnectSource, store: TokenStore, fake_garmin: FakeGarmin, account: Account
) -> None:
    _give_tokens(store, fake_garmin, account, life_s=600)
    fake_garmin.accounts.revoke_all()
    with pytest.raises(LoginNeeded, match=COMMAND):
        _fetch(source)
    assert _refreshes(fake_garmin) == [400] and fake_garmin.asked() == []


def test_401_after_a_renewal_needs_a_login(
    source: GarminConnectSource, store: TokenStore, fake_garmin: FakeGarmin, account: Account
) -> None:
    _give_tokens(store, fake_garmin, account)
    fake_garmin.faults.append(Fault.status("connectapi", 401, times=99))
    with pytest.raises(LoginNeeded, match=f"refuses the renewed tokens.*{COMMAND}"):
        _fetch(source)
    assert _refreshes(fake_garmin) == [200] and len(fake_garmin.asked()) == 2


@pytest.mark.parametrize("stored", ["nothing", "{}", '{"di_token": "x"}'])
def test_what_cannot_be_renewed_needs_a_login(
    source: GarminConnectSource, store: TokenStore, fake_garmin: FakeGarmin, stored: str
) -> None:
    if stored != "nothing":
        store.store("ann", Tokens("garminconnect", {TOKEN_FILE: stored}, datetime(2026, 3, 1, tzinfo=UTC), None))
    with pytest.raises(LoginNeeded, match=COMMAND):
        _fetch(source)
    assert _refreshes(fake_garmin) == []


def test_tokens_of_the_other_client_are_told(source: GarminConnectSource, store: TokenStore) -> None:
    store.store("ann", Tokens("garminexport", {}, datetime(2026, 3, 1, tzinfo=UTC), None))
    with pytest.raises(SourceError, match="are of garminexport"):
        _fetch(source)


@pytest.mark.parametrize("client", ["garminconnect", "garminexport"])
def test_stored_tokens_of_garmin_china_name_no_sign_in(
    source: GarminConnectSource,
    store: TokenStore,
    fake_garmin: FakeGarmin,
    s3: Any,
    bucket: str,
    manners: Manners,
    client: Any,
) -> None:
    claims = base64.urlsafe_b64encode(b'{"iss": "https://diauth.garmin.cn"}').decode().rstrip("=")
    files = {
        "garminconnect": {TOKEN_FILE: json.dumps({"di_token": f"e30.{claims}.x", "di_refresh_token": "x"})},
        "garminexport": {"oauth1_token.json": '{"domain": "garmin.cn"}', "oauth2_token.json": "{}"},
    }
    store.store("ann", Tokens(client, files[client], datetime(2026, 3, 1, tzinfo=UTC), None))
    asked = source if client == "garminconnect" else GarminExportSource(store, s3, bucket, TODAY, manners)
    with pytest.raises(SourceError, match=r"of ann are of Garmin China .*load the account export") as refused:
        list(asked.fetch("ann", DAY, DAY))
    assert not isinstance(refused.value, LoginNeeded) and "make garmin-login" not in str(refused.value)
    assert fake_garmin.seen == []


def test_nobody_is_logged_in(
    source: GarminConnectSource, store: TokenStore, fake_garmin: FakeGarmin, account: Account
) -> None:
    for trouble in (Fault.status("connectapi", 401, times=99), Fault.status("diauth", 400, times=99)):
        _give_tokens(store, fake_garmin, account, life_s=600)
        fake_garmin.faults = [trouble]
        with pytest.raises(LoginNeeded):
            _fetch(source)
    assert "sso.garmin.com" not in {seen.host for seen in fake_garmin.seen}


@pytest.mark.parametrize(
    ("faults", "statuses"),
    [
        ([Fault.status("diauth", 503, times=2)], [503, 503, 200]),
        ([Fault.body("diauth", b"<html>")], [200, 200]),
        ([Fault.body("diauth", b'{"access_token": null}')], [200, 200]),
    ],
    ids=["out of order", "no JSON", "no token"],
)
def test_a_renewal_that_broke_is_tried_again(
    source: GarminConnectSource,
    store: TokenStore,
    fake_garmin: FakeGarmin,
    account: Account,
    faults: list[Fault],
    statuses: list[int],
) -> None:
    _give_tokens(store, fake_garmin, account, life_s=600)
    fake_garmin.faults += faults
    assert _fetch(source) == 8
    assert _refreshes(fake_garmin) == statuses


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (429, TooManyRequests, "answered 429"),
        (403, SourceError, "blocking this address"),
        (500, SourceError, "HTTP 500"),
    ],
)
def test_a_renewal_that_fails_leaves_the_tokens_alone(
    source: GarminConnectSource,
    store: TokenStore,
    fake_garmin: FakeGarmin,
    account: Account,
    status: int,
    error: type[Exception],
    message: str,
) -> None:
    tokens = _give_tokens(store, fake_garmin, account, life_s=600)
    fake_garmin.faults.append(Fault.status("diauth", status, times=3))
    with pytest.raises(error, match=message) as caught:
        _fetch(source)
    assert not isinstance(caught.value, LoginNeeded)
    fake_garmin.faults.clear()
    assert store.load("ann") == tokens and _fetch(source) == 8


def test_the_lease_is_free_after_a_failure(
    source: GarminConnectSource, store: TokenStore, fake_garmin: FakeGarmin, account: Account, s3: Any, bucket: str
) -> None:
    _give_tokens(store, fake_garmin, account, life_s=600)
    fake_garmin.accounts.revoke_all()
    with pytest.raises(LoginNeeded):
        _fetch(source)
    with lease(s3, bucket, "ann", longest_wait_s=0.0):
        pass


@pytest.mark.parametrize(
    "trouble",
    [
        [],
        [Fault.status("connectapi", 401, times=99)],
        [Fault.status("connectapi", 403)],
        [Fault.status("connectapi", 429)],
        [Fault.status("connectapi", 500, times=3)],
        [Fault.truncated("connectapi", times=3)],
        [Fault.status("diauth", 400)],
        [Fault.status("diauth", 500, times=3)],
        [Fault.body("diauth", b"[]", times=3)],
    ],
    ids=repr,
)
def test_no_secret_in_logs_or_errors(
    source: GarminConnectSource,
    store: TokenStore,
    fake_garmin: FakeGarmin,
    account: Account,
    trouble: list[Fault],
    caplog: pytest.LogCaptureFixture,
) -> None:
    _give_tokens(store, fake_garmin, account, life_s=600)
    fake_garmin.faults += trouble
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it shows every request that is made of AWS
    told = ""
    try:
        _fetch(source)
    except SourceError as error:
        assert error.__cause__ is None and error.__context__ is None
        told = "".join(traceback.format_exception(error)) + repr(error)
    assert bool(told) == bool(trouble)
    told += caplog.text + repr(source) + repr(store.load("ann"))
    assert len(fake_garmin.secrets()) >= 3
    assert [secret for secret in fake_garmin.secrets() if secret in told] == []


def test_the_client_keeps_nothing_on_the_disk(
    source: GarminConnectSource,
    store: TokenStore,
    fake_garmin: FakeGarmin,
    account: Account,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    _give_tokens(store, fake_garmin, account, life_s=600)
    _fetch(source)
    assert list(tmp_path.rglob("*")) == []
    assert json.loads(store.load("ann").files[TOKEN_FILE])["di_refresh_token"] in fake_garmin.accounts.issued
