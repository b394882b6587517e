import json
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
def store(ssm: Any) -> TokenStore:
    return TokenStore(ssm, "gff")


@pytest.mark.parametrize("tokens", [TOKENS, GARTH], ids=["garminconnect", "garminexport"])
def test_what_was_stored_is_loaded(store: TokenStore, ssm: Any, tokens: Tokens) -> None:
    store.store("ann", tokens)
    assert store.load("ann") == tokens
    stored = ssm.describe_parameters()["Parameters"]
    assert [(found["Name"], found["Type"]) for found in stored] == [("/gff/garmin/ann", "SecureString")]


def test_the_last_stored_counts(store: TokenStore) -> None:
    store.store("ann", GARTH)
    store.store("ann", TOKENS)
    assert store.load("ann") == TOKENS


def test_no_content_in_a_repr() -> None:
    assert "s3cret" not in repr(TOKENS) and "garminconnect" in repr(TOKENS)


def test_athletes_are_those_of_the_project_and_client(store: TokenStore, ssm: Any) -> None:
    store.store("zoe", TOKENS)
    store.store("ann", TOKENS)
    store.store("bob", GARTH)
    TokenStore(ssm, "gff2").store("other", TOKENS)
    ssm.put_parameter(Name="/gff/garmin/no.athlete", Value="x", Type="SecureString")
    ssm.put_parameter(Name="/gff/garmin/no_tokens", Value="x", Type="SecureString")
    ssm.put_parameter(Name="/gff/serving", Value="x", Type="String")
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
    "text", ["", "x", "[]", "{}", '{"client": "garth", "files": {}, "stored_at": "x"}', "[" * 4000]
)
def test_what_is_no_tokens_names_the_command(store: TokenStore, ssm: Any, text: str) -> None:
    ssm.put_parameter(Name="/gff/garmin/ann", Value=text or " ", Type="SecureString")
    with pytest.raises(LoginNeeded, match="make garmin-login ATHLETE=ann"):
        store.load("ann")


@pytest.mark.parametrize("athlete_id", ["", "../x", "a/b", "a b", "x" * 65])
def test_an_id_that_cannot_be_a_name_is_refused(store: TokenStore, athlete_id: str) -> None:
    with pytest.raises(SourceError, match="athlete id"):
        store.load(athlete_id)


def test_a_write_that_is_not_confirmed_is_told(store: TokenStore, ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.store("ann", GARTH)
    monkeypatch.setattr(ssm, "put_parameter", lambda **_: {"Version": 1})
    with pytest.raises(SourceError, match="did not take the new tokens"):
        store.store("ann", replace(GARTH, files={}))


def test_other_failures_of_parameter_store_are_no_missing_tokens(
    store: TokenStore, ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParameter")

    monkeypatch.setattr(ssm, "get_parameter", denied)
    with pytest.raises(ClientError, match="AccessDenied"):
        store.load("ann")


def test_a_read_that_lags_behind_the_write_is_repeated(ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    store = TokenStore(ssm, "gff", sleep=slept.append)
    store.store("ann", GARTH)
    old, read = ssm.get_parameter(Name="/gff/garmin/ann", WithDecryption=True), ssm.get_parameter
    monkeypatch.setattr(ssm, "get_parameter", lambda **asked: old if len(slept) < 2 else read(**asked))
    store.store("ann", TOKENS)
    assert len(slept) == 2


def test_a_write_that_is_never_seen_is_told(ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    store = TokenStore(ssm, "gff", sleep=slept.append)
    monkeypatch.setattr(ssm, "put_parameter", lambda **_: {"Version": 1})
    with pytest.raises(SourceError, match="did not take the new tokens"):
        store.store("ann", TOKENS)
    assert len(slept) == 5


def test_tokens_of_more_than_the_free_size_are_kept_and_beyond_all_size_refused(store: TokenStore, ssm: Any) -> None:
    large = replace(TOKENS, files={"garmin_tokens.json": "x" * 5000})
    store.store("ann", large)
    assert store.load("ann") == large
    with pytest.raises(SourceError, match=r"tokens of ann take \d+ bytes, a parameter holds 8192"):
        store.store("ann", replace(TOKENS, files={"garmin_tokens.json": "x" * 8192}))
    assert store.load("ann") == large


def test_deleted_tokens_are_gone_with_all_versions(store: TokenStore, ssm: Any) -> None:
    store.store("ann", GARTH)
    store.store("ann", TOKENS)
    store.store("bob", TOKENS)
    assert store.exists("ann") and store.delete("ann")
    assert not store.exists("ann") and not store.delete("ann")
    assert store.load("bob") == TOKENS


def test_every_request_is_one_that_aws_takes(store: TokenStore, ssm: Any) -> None:
    """The longest name and value: AWS refuses tags on an overwrite, and a tier too small for the value."""
    asked: list[tuple[str, dict[str, Any]]] = []
    note = lambda params, model, **_: asked.append((model.name, params["body"]))  # noqa: E731
    ssm.meta.events.register("before-call.ssm", note)
    try:
        store.store("x" * 64, TOKENS)
    finally:
        ssm.meta.events.unregister("before-call.ssm", note)
    assert [name for name, _ in asked] == ["PutParameter", "GetParameter"]
    body = json.loads(asked[0][1])
    assert (body["Tier"], body["Type"], body["Overwrite"]) == ("Intelligent-Tiering", "SecureString", True)
    assert "Tags" not in body
