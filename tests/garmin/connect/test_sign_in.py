import base64
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import curl_cffi.requests
import pytest
import requests
from curl_cffi.requests.exceptions import DNSError
from garminconnect.client import sso

from include.garmin.connect.connection import TOKEN_FILE
from include.garmin.connect.login import LoginFailed, how_long, sign_in, tokens_of_folder
from tests.garmin.connect.fake_garmin import Account, FakeGarmin, Fault
from tests.garmin.connect.fake_garmin.faults import Answer

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_pause_for_typing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOBILE_DELAY_MIN_S", "MOBILE_DELAY_MAX_S", "LOGIN_DELAY_MIN_S", "LOGIN_DELAY_MAX_S"):
        monkeypatch.setattr(sso, name, 0.0)


def _no_code() -> str:
    raise AssertionError("no code was asked for")


def test_a_password_gives_tokens_that_work(fake_garmin: FakeGarmin, account: Account) -> None:
    signed_in = sign_in(account.email, account.password, _no_code, NOW)
    assert (signed_in.profile_id, signed_in.display_name) == ("7001", account.display_name)
    value = json.loads(signed_in.tokens.files[TOKEN_FILE])
    assert fake_garmin.accounts.of_access_token(value["di_token"]) is account
    assert signed_in.tokens.good_until == NOW + timedelta(days=30)
    assert account.password not in str(signed_in.tokens.files) and value["di_token"] not in repr(signed_in)


def test_the_code_is_asked_for_once(fake_garmin: FakeGarmin, account: Account) -> None:
    account.mfa_code = "123456"
    codes = [" 123456\n"]
    assert sign_in(account.email, account.password, codes.pop, NOW).profile_id == "7001"
    assert codes == []


@pytest.mark.parametrize(
    ("password", "code", "message"),
    [
        ("wrong", "123456", "wrong e-mail or password"),
        (None, "654321", "the code is wrong or too old"),
    ],
)
def test_a_wrong_word_is_told(
    fake_garmin: FakeGarmin, account: Account, password: str | None, code: str, message: str
) -> None:
    account.mfa_code = "123456"
    with pytest.raises(LoginFailed, match=message) as caught:
        sign_in(account.email, password or account.password, lambda: code, NOW)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("status", "message"), [(429, "blocks this address for now"), (403, r"blocks this address \(403")]
)
def test_a_blocked_address_is_told(fake_garmin: FakeGarmin, account: Account, status: int, message: str) -> None:
    fake_garmin.faults.append(Fault.status("sso.garmin.com", status, times=99))
    with pytest.raises(LoginFailed, match=message):
        sign_in(account.email, account.password, _no_code, NOW)


def test_no_network_is_told(fake_garmin: FakeGarmin, account: Account) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError("Failed to resolve 'sso.garmin.com'")

    def unknown(*_: Any, **__: Any) -> None:
        raise DNSError("Could not resolve host: sso.garmin.com")

    with pytest.MonkeyPatch.context() as patches:  # undone before the fake's own
        patches.setattr(requests.adapters.HTTPAdapter, "send", unreachable)
        patches.setattr(curl_cffi.requests.Session, "request", unknown)
        with pytest.raises(LoginFailed, match="is there a network"):
            sign_in(account.email, account.password, _no_code, NOW)


@pytest.mark.parametrize("cookie", ["JWT_WEB=session; Path=/", "other=1"])
def test_a_session_that_does_not_last_is_refused(fake_garmin: FakeGarmin, account: Account, cookie: str) -> None:
    fake_garmin.faults += [
        Fault.status("diauth", 400, times=99),
        Fault("mobile.integration", Answer(200, b"welcome", {"Set-Cookie": cookie}), times=99),
    ]
    with pytest.raises(LoginFailed, match="gave no tokens that last"):
        sign_in(account.email, account.password, _no_code, NOW)


def test_nothing_secret_is_logged(fake_garmin: FakeGarmin, account: Account, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    account.mfa_code = "123456"
    sign_in(account.email, account.password, lambda: "123456", NOW)
    with pytest.raises(LoginFailed):
        sign_in(account.email, account.password, lambda: "1", NOW)
    assert [secret for secret in fake_garmin.secrets() if secret in caplog.text] == []


def test_a_folder_of_either_client_is_read(tmp_path: Path, fake_garmin: FakeGarmin, account: Account) -> None:
    ours = tmp_path / "garminconnect"
    ours.mkdir()
    (ours / TOKEN_FILE).write_text(fake_garmin.accounts.token_file(account))
    tokens = tokens_of_folder(ours, NOW)
    assert (tokens.client, tokens.good_until, how_long(tokens)) == (
        "garminconnect",
        None,
        "for about 30 days from when they were made",
    )
    garth = _garth_folder(tmp_path, fake_garmin, account)
    tokens = tokens_of_folder(garth, NOW)
    assert tokens.client == "garminexport" and set(tokens.files) == {"oauth1_token.json", "oauth2_token.json"}
    assert tokens.files["oauth1_token.json"] == (garth / "oauth1_token.json").read_text()
    assert how_long(tokens) == "until 2027-01-01"


@pytest.mark.parametrize("names", [[], ["oauth1_token.json"], [TOKEN_FILE, "oauth1_token.json", "oauth2_token.json"]])
def test_a_folder_that_is_not_one_clients_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("{}")
    with pytest.raises(LoginFailed, match=r"must hold garmin_tokens\.json"):
        tokens_of_folder(tmp_path, NOW)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"di_token": "x"}', b"[" * 20_000, b" " * 40_000])
def test_a_file_that_is_no_token_is_refused(tmp_path: Path, body: bytes) -> None:
    (tmp_path / TOKEN_FILE).write_bytes(body)
    with pytest.raises(LoginFailed, match="no token file"):
        tokens_of_folder(tmp_path, NOW)


def test_tokens_of_garmin_china_are_refused_with_the_way_that_is_open(
    tmp_path: Path, fake_garmin: FakeGarmin, account: Account
) -> None:
    garth = _garth_folder(tmp_path, fake_garmin, account)
    oauth1 = json.loads((garth / "oauth1_token.json").read_text()) | {"domain": "garmin.cn"}
    (garth / "oauth1_token.json").write_text(json.dumps(oauth1))
    claims = base64.urlsafe_b64encode(b'{"iss": "https://diauth.garmin.cn", "exp": 2000000000}').decode().rstrip("=")
    tokens = {"di_token": f"e30.{claims}.made-up", "di_refresh_token": "made-up", "di_client_id": "made-up"}
    (tmp_path / TOKEN_FILE).write_text(json.dumps(tokens))
    for folder in (garth, tmp_path):
        with pytest.raises(LoginFailed, match=r"Garmin China \(garmin\.cn\).*load the account export"):
            tokens_of_folder(folder, NOW)


def test_a_folder_with_both_kinds_of_tokens_is_refused_with_the_names_of_both(
    tmp_path: Path, fake_garmin: FakeGarmin, account: Account
) -> None:
    folder = _garth_folder(tmp_path, fake_garmin, account)
    (folder / TOKEN_FILE).write_text(fake_garmin.accounts.token_file(account))
    with pytest.raises(LoginFailed, match=r"it holds garmin_tokens\.json, oauth1_token\.json, oauth2_token\.json"):
        tokens_of_folder(folder, NOW)


def _garth_folder(tmp_path: Path, fake: FakeGarmin, account: Account) -> Path:
    folder = tmp_path / "garth"
    folder.mkdir()
    oauth1 = fake.accounts.oauth1_token(account) | {"mfa_expiration_timestamp": "2027-01-01T00:00:00"}
    (folder / "oauth1_token.json").write_text(json.dumps(oauth1))
    oauth2 = fake.accounts.new_tokens(account) | {"expires_at": 1, "refresh_token_expires_at": 1}
    (folder / "oauth2_token.json").write_text(json.dumps(oauth2))
    return folder
