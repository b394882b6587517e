import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from include.garmin.connect.manners import Manners
from include.garmin.connect.personal_key import api_key
from include.garmin.connect.tokens import Tokens, TokenStore
from include.garmin.registry import Athlete, read_registry
from include.settings import settings
from infra import garmin_key
from infra.garmin_key import main
from infra.laptop.keys import ATHLETE, require_key
from infra.laptop.options import LaptopError
from tests.garmin.connect.fake_garmin import Fault
from tests.garmin.connect.fake_personal_api import FakePersonalApi, PersonalAccount


@pytest.fixture(autouse=True)
def no_other_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSM", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def account() -> PersonalAccount:
    account = PersonalAccount()
    account.add_run(501, datetime(2026, 2, 1).date())
    return account


@pytest.fixture
def fake(s3: Any, account: PersonalAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePersonalApi]:
    with FakePersonalApi(account) as fake:
        monkeypatch.setenv("GARMIN_PERSONAL_API_BASE_URL", fake.url)
        yield fake


@pytest.fixture
def store(ssm: Any) -> TokenStore:
    return TokenStore(ssm, settings().project)


def _never(_: str) -> str:
    raise AssertionError("nobody is to be asked")


def test_a_key_is_tried_and_stored_and_the_athlete_listed(
    store: TokenStore,
    fake: FakePersonalApi,
    manners: Manners,
    account: PersonalAccount,
    capsys: pytest.CaptureFixture[str],
) -> None:
    s3 = boto3.client("s3", region_name=settings().region)
    s3.create_bucket(Bucket=settings().bucket)
    assert (
        main(["--athlete", "ann"], ask=lambda _: "90", ask_secretly=lambda _: f" {account.key}\n", manners=manners) == 0
    )
    tokens = store.load("ann")
    assert (tokens.client, api_key(tokens)) == ("personalapi", account.key)
    ends_at = datetime.now(UTC) + timedelta(days=90)
    assert tokens.good_until is not None and abs(tokens.good_until - ends_at) < timedelta(minutes=1)
    assert read_registry(s3, settings().bucket) == [Athlete("ann", "personalapi")]
    out = capsys.readouterr().out
    assert f"good until {tokens.good_until:%Y-%m-%d}" in out and "newest activity: 2026-02-01" in out
    assert "garmin-forecast/garmin/ann" in out
    assert [secret for secret in fake.secrets() if secret in out] == []


@pytest.mark.parametrize(("arguments", "asked"), [([], ""), (["--days", "30"], None)])
def test_when_it_ends_is_asked_or_given(
    store: TokenStore,
    fake: FakePersonalApi,
    manners: Manners,
    account: PersonalAccount,
    capsys: Any,
    arguments: list[str],
    asked: Any,
) -> None:
    ask = _never if asked is None else lambda _: asked
    assert main(["--athlete", "ann", *arguments], ask=ask, ask_secretly=lambda _: account.key, manners=manners) == 0
    assert (store.load("ann").good_until is None) == (asked == "")
    assert ("not known" in capsys.readouterr().out) == (asked == "")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("wrong-key", "mistyped, has ended or was revoked"),
        ("", "that is no key"),
        ("two words", "that is no key"),
        ("schlüssel", "that is no key"),
    ],
)
def test_a_key_that_garmin_does_not_take_is_not_stored(
    store: TokenStore,
    fake: FakePersonalApi,
    manners: Manners,
    capsys: pytest.CaptureFixture[str],
    key: str,
    message: str,
) -> None:
    old = Tokens("garminconnect", {"garmin_tokens.json": "{}"}, datetime(2026, 3, 1, tzinfo=UTC), None)
    store.store("ann", old)
    assert main(["--athlete", "ann"], ask=lambda _: "", ask_secretly=lambda _: key, manners=manners) == 1
    told = capsys.readouterr()
    assert message in told.err and told.err.count("\n") == 1
    assert not key or key not in told.err + told.out
    assert store.load("ann") == old


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault.status("/personal-api-key/token", 403, times=9), "blocking this address"),
        (Fault.status("/personal-api-key/token", 429, Retry_After="14"), "429"),
        (Fault.status("/personal-api-key/token", 503, times=9), "run again later"),
        (Fault.body("/personal-api-key/token", b"<html>", times=9), "may need an update"),
        (Fault.status("/activities/search", 403, times=9), "HTTP 403 to the first question"),
    ],
)
def test_what_keeps_a_key_from_being_tried_is_one_line(
    store: TokenStore,
    fake: FakePersonalApi,
    manners: Manners,
    account: PersonalAccount,
    capsys: Any,
    fault: Fault,
    message: str,
) -> None:
    fake.faults.append(fault)
    assert main(["--athlete", "ann"], ask=lambda _: "", ask_secretly=lambda _: account.key, manners=manners) == 1
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1 and account.key not in err
    assert not store.exists("ann")


def test_a_life_that_garmin_does_not_offer_is_refused(
    store: TokenStore,
    fake: FakePersonalApi,
    manners: Manners,
    account: PersonalAccount,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--athlete", "ann"], ask=lambda _: "31", ask_secretly=_never, manners=manners) == 1
    assert "30, 90, 180, 365" in capsys.readouterr().err and not store.exists("ann")


def test_the_key_is_taken_from_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    options = {text for action in garmin_key._parser()._actions for text in action.option_strings}
    assert isinstance(garmin_key._parser(), argparse.ArgumentParser)
    assert options == {"-h", "--help", "--athlete", "--days", "--local", "--endpoint-url"}


def test_make_run_asks_for_the_key_when_there_is_none(
    ssm: Any, store: TokenStore, fake: FakePersonalApi, manners: Manners, account: PersonalAccount
) -> None:
    project = settings().project
    with pytest.raises(LaptopError, match="make garmin-key ATHLETE=me OPTIONS=--local"):
        require_key(ssm, project, ask=_never, ask_secretly=_never, has_terminal=False, manners=manners)
    require_key(ssm, project, ask=lambda _: "", ask_secretly=lambda _: account.key, has_terminal=True, manners=manners)
    assert store.athletes("personalapi") == [ATHLETE]
    require_key(ssm, project, ask=_never, ask_secretly=_never, has_terminal=True, manners=manners)


def test_make_run_ends_with_the_reason_where_no_key_is_given(ssm: Any, fake: FakePersonalApi, manners: Manners) -> None:
    with pytest.raises(LaptopError, match="mistyped, has ended or was revoked"):
        require_key(
            ssm,
            settings().project,
            ask=lambda _: "",
            ask_secretly=lambda _: "wrong",
            has_terminal=True,
            manners=manners,
        )
