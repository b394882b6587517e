from pathlib import Path
from typing import Any

import boto3
import pytest
from garminconnect.client import sso

from include.garmin.connect.connection import TOKEN_FILE
from include.garmin.connect.tokens import TokenStore
from include.garmin.registry import Athlete, read_registry
from include.settings import settings
from infra import garmin_login
from infra.garmin_login import main
from tests.garmin.connect.fake_garmin import Account, FakeGarmin


@pytest.fixture(autouse=True)
def no_other_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSM", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_pause_for_typing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOBILE_DELAY_MIN_S", "MOBILE_DELAY_MAX_S"):
        monkeypatch.setattr(sso, name, 0.0)


@pytest.fixture
def store(ssm: Any) -> TokenStore:
    return TokenStore(ssm, settings().project)


def _never(_: str) -> str:
    raise AssertionError("nobody is to be asked")


def test_an_athlete_signs_in_and_the_tokens_are_stored(
    store: TokenStore, fake_garmin: FakeGarmin, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.mfa_code = "123456"
    answers = {"e-mail": account.email, "Code": "123456"}

    def ask(prompt: str) -> str:
        return next(answers.pop(word) for word in list(answers) if word in prompt)

    assert main(["--athlete", "ann"], ask=ask, ask_secretly=lambda _: account.password) == 0
    assert answers == {} and store.athletes("garminconnect") == ["ann"]
    good_until = store.load("ann").good_until
    out = capsys.readouterr().out
    assert "garmin-forecast/garmin/ann" in out and "account 7001" in out and f"until {good_until:%Y-%m-%d}" in out
    assert [secret for secret in fake_garmin.secrets() if secret in out] == []
    assert account.password not in str(store.load("ann").files)


def test_a_wrong_password_is_one_line_and_stores_nothing(
    store: TokenStore, fake_garmin: FakeGarmin, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--athlete", "ann"], ask=lambda _: account.email, ask_secretly=lambda _: "wrong") == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err == "no tokens stored for ann: not signed in: wrong e-mail or password\n"
    assert store.athletes("garminconnect") == []


def test_tokens_of_a_folder_are_stored_without_asking(
    store: TokenStore, fake_garmin: FakeGarmin, account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / TOKEN_FILE).write_text(fake_garmin.accounts.token_file(account))
    assert main(["--athlete", "ann", "--import-dir", str(tmp_path)], ask=_never, ask_secretly=_never) == 0
    assert store.load("ann").files == {TOKEN_FILE: (tmp_path / TOKEN_FILE).read_text()}
    told = capsys.readouterr()
    assert "about 30 days" in told.out
    assert "could not be listed" in told.err and "NoSuchBucket" in told.err


def test_the_athlete_is_fetched_from_then_on(
    store: TokenStore, fake_garmin: FakeGarmin, account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s3 = boto3.client("s3", region_name=settings().region)
    s3.create_bucket(Bucket=settings().bucket)
    (tmp_path / TOKEN_FILE).write_text(fake_garmin.accounts.token_file(account))
    assert main(["--athlete", "ann", "--import-dir", str(tmp_path)], ask=_never, ask_secretly=_never) == 0
    assert read_registry(s3, settings().bucket) == [Athlete("ann", "garminconnect")]
    assert "garmin_ingest fetches ann" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--athlete", "a/b"], ["--athlete", "ann", "--import-dir", "/nowhere"]])
def test_what_cannot_be_stored_is_told_before_anyone_is_asked(
    store: TokenStore, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments, ask=_never, ask_secretly=_never) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_without_access_to_parameters_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert main(["--athlete", "ann"], ask=_never, ask_secretly=_never) == 1
    assert "credentials" in capsys.readouterr().err


def test_stopping_is_no_error_message(store: TokenStore, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(_: str) -> str:
        raise KeyboardInterrupt

    assert main(["--athlete", "ann"], ask=stop, ask_secretly=_never) == 1
    assert "stopped" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], None),
        (["--local"], garmin_login.LOCAL_AWS),
        (["--endpoint-url", "http://127.0.0.1:9"], "http://127.0.0.1:9"),
    ],
)
def test_where_tokens_are_stored(
    monkeypatch: pytest.MonkeyPatch, ssm: Any, arguments: list[str], expected: str | None
) -> None:
    asked: list[Any] = []

    def client(service: str, **options: Any) -> Any:
        asked.append((service, options.get("endpoint_url")))
        return ssm

    monkeypatch.setattr(boto3, "client", client)
    main(["--athlete", "ann", "--import-dir", "/nowhere", *arguments], ask=_never, ask_secretly=_never)
    assert asked == [("ssm", expected)]
