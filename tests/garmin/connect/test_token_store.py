from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from include.garmin import LoginNeeded, SourceError
from include.garmin.connect.tokens import Tokens, TokenStore

TOKENS = Tokens(
    "garminconnect",
    {"garmin_tokens.json": '{"di_token": "s3cret"}'},
    datetime(2026, 3, 1, tzinfo=UTC),
    datetime(2026, 3, 31, tzinfo=UTC),
)
GARTH = Tokens("garminexport", {"oauth1_token.json": "{}", "oauth2_token.json": "{}"}, TOKENS.stored_at, None)


@pytest.fixture
def store(secretsmanager: Any) -> TokenStore:
    return TokenStore(secretsmanager, "gff")


@pytest.mark.parametrize("tokens", [TOKENS, GARTH], ids=["garminconnect", "garminexport"])
def test_what_was_stored_is_loaded(store: TokenStore, secretsmanager: Any, tokens: Tokens) -> None:
    store.store("ann", tokens)
    assert store.load("ann") == tokens
    assert [secret["Name"] for secret in secretsmanager.list_secrets()["SecretList"]] == ["gff/garmin/ann"]


def test_the_last_stored_counts(store: TokenStore) -> None:
    store.store("ann", GARTH)
    store.store("ann", TOKENS)
    assert store.load("ann") == TOKENS


def test_no_content_in_a_repr() -> None:
    assert "s3cret" not in repr(TOKENS) and "garminconnect" in repr(TOKENS)


def test_athletes_are_those_of_the_project_and_client(store: TokenStore, secretsmanager: Any) -> None:
    store.store("zoe", TOKENS)
    store.store("ann", TOKENS)
    store.store("bob", GARTH)
    TokenStore(secretsmanager, "gff2").store("other", TOKENS)
    secretsmanager.create_secret(Name="gff/garmin/not ours", SecretString="x")
    assert store.athletes("garminconnect") == ["ann", "zoe"]
    assert store.athletes("garminexport") == ["bob"]


def test_an_athlete_whose_client_changed_is_listed_once(store: TokenStore) -> None:
    store.store("ann", GARTH)
    store.store("ann", TOKENS)
    assert (store.athletes("garminconnect"), store.athletes("garminexport")) == (["ann"], [])


def test_more_athletes_than_fit_on_a_page_are_listed(store: TokenStore) -> None:
    for number in range(105):
        store.store(f"a{number:03d}", TOKENS)
    assert len(store.athletes("garminconnect")) == 105


def test_without_tokens_the_command_is_named(store: TokenStore) -> None:
    with pytest.raises(LoginNeeded, match="make garmin-login ATHLETE=ann"):
        store.load("ann")


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", '{"client": "garth", "files": {}, "stored_at": "x"}', "[" * 9999]
)
def test_what_is_no_tokens_names_the_command(store: TokenStore, secretsmanager: Any, text: str) -> None:
    secretsmanager.create_secret(Name="gff/garmin/ann", SecretString=text or " ")
    with pytest.raises(LoginNeeded, match="make garmin-login ATHLETE=ann"):
        store.load("ann")


@pytest.mark.parametrize("athlete_id", ["", "../x", "a/b", "a b", "x" * 65])
def test_an_id_that_cannot_be_a_name_is_refused(store: TokenStore, athlete_id: str) -> None:
    with pytest.raises(SourceError, match="athlete id"):
        store.load(athlete_id)


def test_a_write_that_is_not_confirmed_is_told(
    store: TokenStore, secretsmanager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.store("ann", GARTH)
    monkeypatch.setattr(secretsmanager, "put_secret_value", lambda **_: {"VersionId": "lost"})
    with pytest.raises(SourceError, match="did not take the new tokens"):
        store.store("ann", replace(GARTH, files={}))


def test_other_failures_of_secrets_manager_are_no_missing_tokens(
    store: TokenStore, secretsmanager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetSecretValue")

    monkeypatch.setattr(secretsmanager, "get_secret_value", denied)
    with pytest.raises(ClientError, match="AccessDenied"):
        store.load("ann")
