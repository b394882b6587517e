"""Signing in to Garmin Connect once, by hand, for tokens that last about a month and are renewed by every run.

Garmin refuses to sign anyone in from the addresses of large clouds: this runs on a laptop.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from garminconnect import (
    GarminConnectAuthenticationError,
    GarminConnectConnectionError,
    GarminConnectTooManyRequestsError,
)

from include.garmin.connect.connection import TOKEN_FILE, NotingClient, tokens_of
from include.garmin.connect.tokens import MAX_VALUE_BYTES, NOT_FOR_CHINA, Tokens, are_of_garmin_china

GARTH_FILES = ("oauth1_token.json", "oauth2_token.json")
ABOUT_DAYS = {"garminconnect": 30, "garminexport": 365}
"""How long the tokens of a client last from their making, where they do not say it."""
MAX_TOKEN_FILE_BYTES = MAX_VALUE_BYTES
"""A larger file does not fit into a parameter."""

_FIELDS = {
    TOKEN_FILE: ("di_token", "di_refresh_token", "di_client_id"),
    GARTH_FILES[0]: ("oauth_token", "oauth_token_secret"),
    GARTH_FILES[1]: ("access_token", "refresh_token", "expires_at"),
}
_NO_LASTING_TOKENS = "Garmin gave no tokens that last: try again in an hour"
_NO_NETWORK = re.compile(r"exhausted: (?!Garmin)\w*(Connection|Timeout|DNS|Proxy|SSL)\w*: ")


class LoginFailed(Exception):
    """Nobody was signed in; the message is one line that says what to do."""


@dataclass(frozen=True)
class SignedIn:
    """Fresh tokens, and whose they are."""

    tokens: Tokens
    display_name: str
    profile_id: str


def sign_in(email: str, password: str, ask_code: Callable[[], str], now: datetime) -> SignedIn:
    """Sign in by password and, where the account asks for one, a code from `ask_code`, which is called once.

    Raises:
        LoginFailed: wrong password or code, an address that Garmin blocks, no network, or no lasting tokens.
    """
    client = NotingClient()
    failed = None
    try:
        client.login(email, password, prompt_mfa=lambda: ask_code().strip())
    except GarminConnectAuthenticationError as error:
        failed = _why_refused(str(error))
    except GarminConnectTooManyRequestsError:
        failed = "Garmin blocks this address for now (429): try again in an hour, or from another network"
    except GarminConnectConnectionError as error:
        failed = _why_exhausted(str(error))
    # Raised outside of the handlers: the errors' own texts and causes are Garmin's, and may hold what was sent.
    if failed is None and not client.di_refresh_token:
        failed = _NO_LASTING_TOKENS
    if failed is not None:
        raise LoginFailed(f"not signed in: {failed}")
    try:
        profile = client.connectapi("/userprofile-service/socialProfile")
    except (GarminConnectConnectionError, OSError):
        profile = None
    known = profile if isinstance(profile, dict) else {}
    return SignedIn(
        tokens_of(client, now), str(known.get("displayName", "unknown")), str(known.get("profileId", "unknown"))
    )


def tokens_of_folder(folder: Path, now: datetime) -> Tokens:
    """Tokens that one of the clients has left in a folder.

    Raises:
        LoginFailed: the folder holds none, those of both, files that are no tokens, or tokens of Garmin China.
    """
    tokens = _tokens_of_one_client(folder, now)
    if are_of_garmin_china(tokens.files):
        raise LoginFailed(f"the tokens in {folder} {NOT_FOR_CHINA}")
    return tokens


def _tokens_of_one_client(folder: Path, now: datetime) -> Tokens:
    here = {name for name in (TOKEN_FILE, *GARTH_FILES) if (folder / name).is_file()}
    if here == {TOKEN_FILE}:
        files = {TOKEN_FILE: _read(folder / TOKEN_FILE)}
        return Tokens("garminconnect", files, now, None)
    if here == set(GARTH_FILES):
        files = {name: _read(folder / name) for name in GARTH_FILES}
        return Tokens("garminexport", files, now, _end_of_garth(files[GARTH_FILES[0]]))
    wanted = f"{TOKEN_FILE} (garminconnect) or {' and '.join(GARTH_FILES)} (garth, garminexport)"
    raise LoginFailed(f"{folder} must hold {wanted}; it holds {', '.join(sorted(here)) or 'neither'}")


def how_long(tokens: Tokens) -> str:
    """Until when the tokens are good without a renewal, for people."""
    if tokens.good_until is not None:
        return f"until {tokens.good_until:%Y-%m-%d}"
    return f"for about {ABOUT_DAYS[tokens.client]} days from when they were made"


def _why_refused(text: str) -> str:
    if "MFA" in text:
        return "the code is wrong or too old"
    if "Password" in text or "Widget authentication" in text:
        return "wrong e-mail or password"
    return _NO_LASTING_TOKENS


def _why_exhausted(text: str) -> str:
    if _NO_NETWORK.search(text):
        return "no connection to sso.garmin.com: is there a network?"
    if "403" in text:
        return "Garmin blocks this address (403): try from another network"
    return "Garmin took none of the ways to sign in: try again later, or from another network"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            body = file.read(MAX_TOKEN_FILE_BYTES + 1)
        value = json.loads(body) if len(body) <= MAX_TOKEN_FILE_BYTES else None
        text = body.decode()
    except (OSError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not all(value.get(name) for name in _FIELDS[path.name]):
        raise LoginFailed(f"{path} is no token file: it has {', '.join(_FIELDS[path.name])}")
    return text


def _end_of_garth(oauth1: str) -> datetime | None:
    """The day on which a code is asked for again, where the token says so."""
    try:
        end = datetime.fromisoformat(json.loads(oauth1)["mfa_expiration_timestamp"])
    except (ValueError, KeyError, TypeError):
        return None
    return end if end.tzinfo else end.replace(tzinfo=UTC)
