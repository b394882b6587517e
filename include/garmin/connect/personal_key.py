"""A key of Garmin's Personal API: how it is stored, how long it lasts, and the bearer tokens that it yields."""

import json
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from garmin_personal_api import HttpError, PersonalApiAuthenticator

from include.garmin.connect.personal_session import ReceivingSession, StatusError
from include.garmin.connect.tokens import Tokens, key_command

KEY_PAGE = "https://connect.garmin.com/app/settings/personalApiToken"
KEY_LIFE_DAYS = (30, 90, 180, 365)
"""What Garmin offers when a key is made. The key itself does not say it."""
WARN_BEFORE = timedelta(days=7)
KEY_FILE = "personal_api_key.json"
BEARER_FILE = "bearer_token.json"
TIMEOUT_S = 30.0


def tokens_of_key(key: str, now: datetime, good_until: datetime | None) -> Tokens:
    """A key as it is stored."""
    return Tokens("personalapi", {KEY_FILE: json.dumps({"api_key": key})}, now, good_until)


def api_key(tokens: Tokens) -> str:
    """The key in stored tokens; empty where there is none."""
    try:
        return str(json.loads(tokens.files[KEY_FILE])["api_key"]).strip()
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def stored_bearer(tokens: Tokens) -> str | None:
    """The kept bearer token, where the client itself holds it good for this key and for more than an hour."""
    text = tokens.files.get(BEARER_FILE)
    if text is None:
        return None
    with tempfile.TemporaryDirectory(prefix="garmin-bearer-") as folder:  # readable to this user alone
        path = Path(folder) / BEARER_FILE
        path.write_text(text)
        path.chmod(0o600)
        try:
            return str(_authenticator(path, _OfflineSession()).obtain_token(api_key(tokens)).access_token)
        except _ExchangeDue:
            return None


def exchange(key: str, session: ReceivingSession) -> tuple[str, str]:
    """A new bearer token for a key, and the text of the client's file of it; one request.

    Raises:
        Exception: one that carries the response (`error.response`), where Garmin refuses.
        GarminPersonalApiError: what came is no token.
    """
    with tempfile.TemporaryDirectory(prefix="garmin-bearer-") as folder:
        path = Path(folder) / BEARER_FILE
        try:
            token = _authenticator(path, session.session).obtain_token(key, force_refresh=True)
        except HttpError:
            raise StatusError(session.received) from None
        return token.access_token, path.read_text()


def why_not_exchanged(status: int, athlete_id: str) -> str:
    """One line about an exchange that failed, though nothing says that the key is at fault."""
    if status == 0:
        return f"Garmin answered the key of {athlete_id} with no token that its client knows; it may need an update"
    return (
        f"Garmin did not exchange the key of {athlete_id} (HTTP {status}); it may be blocking this address, and the "
        "key may be good: run again later"
    )


def ends_soon(athlete_id: str, ends_at: datetime | None, now: datetime) -> str | None:
    """The sentence that warns of a key's end within WARN_BEFORE; None before that, and where the end is unknown."""
    if ends_at is None or ends_at - now > WARN_BEFORE:
        return None
    return (
        f"the Garmin key of {athlete_id} ends on {ends_at:%Y-%m-%d}: run `{key_command(athlete_id)}` with a new one "
        f"from {KEY_PAGE}"
    )


def _authenticator(path: Path, session: Any) -> PersonalApiAuthenticator:
    return PersonalApiAuthenticator(timeout=TIMEOUT_S, session=session, bearer_token_cache_file=path)


class _ExchangeDue(Exception):
    """The kept bearer token is of another key, ended, or about to."""


class _OfflineSession:
    """Stands where the client posts a key: for asking it whether the token that is kept will do."""

    def post(self, *_: object, **__: object) -> None:
        raise _ExchangeDue
