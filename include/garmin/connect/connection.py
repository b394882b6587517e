"""One athlete's connection to Garmin Connect: answers as bytes, tokens renewed in time and kept before they are used.

garminconnect renews an access token by itself (when it is about to end, and after a 401), says nothing when that
fails, and keeps the new tokens only where it read the old ones from a file. Its `_refresh_session` is therefore
replaced by one that renews under the athlete's lease, stores the new tokens, confirms them, and fails aloud.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError
from garminconnect import GarminConnectAuthenticationError, GarminConnectConnectionError
from garminconnect.client import NATIVE_API_USER_AGENT, Client

from include.garmin.connect.manners import BrokenAnswer, Manners, QuestionFailed, response_of
from include.garmin.connect.tokens import NOT_FOR_CHINA, Tokens, TokenStore, are_of_garmin_china, login_command
from include.garmin.document import LoginNeeded, SourceError
from include.garmin.raw import MAX_DOCUMENT_BYTES, why_unreadable

TOKEN_FILE = "garmin_tokens.json"  # noqa: S105 - a file's name
NO_DATA = b"null"
"""The body kept where Garmin answered 204, 404 or nothing: the day has no data, and is not asked for again."""
USER_AGENT = f"{NATIVE_API_USER_AGENT} garmin-fitness-forecast"
"""The client's own name, which Garmin's services expect, and ours. Signing in keeps the client's browser headers."""
PROFILE_PATH = "/userprofile-service/socialProfile"
TIMEOUT_S = 30.0
_CHUNK_BYTES = 256 * 1024


class NotingClient(Client):
    """garminconnect's client, that also notes how long the refresh token is good: it does not keep that itself."""

    refresh_life_s: float | None = None

    def _http_post(self, url: str, **kwargs: Any) -> Any:
        response = super()._http_post(url, **kwargs)
        if response.ok:
            life_s = _json_object(response).get("refresh_token_expires_in")
            self.refresh_life_s = float(life_s) if isinstance(life_s, int) else None
        return response


def tokens_of(client: NotingClient, now: datetime) -> Tokens:
    """The client's tokens, as they are kept."""
    life_s = client.refresh_life_s
    good_until = None if life_s is None else now + timedelta(seconds=life_s)
    return Tokens("garminconnect", {TOKEN_FILE: client.dumps()}, now, good_until)


class Connection:
    """Asks as one athlete. Tokens are read when the first question is asked; nobody is ever logged in here."""

    def __init__(
        self,
        athlete_id: str,
        store: TokenStore,
        take_lease: Callable[[], AbstractContextManager[None]],
        manners: Manners,
        now: Callable[[], datetime],
    ) -> None:
        self._athlete_id = athlete_id
        self._store = store
        self._take_lease = take_lease
        self._manners = manners
        self._now = now
        self._client = _RenewingClient(self._renew)
        self._display_name: str | None = None
        self._why_no_display_name: str | None = None

    def get(self, path: str, params: Mapping[str, str], asked_for: str, tries: int | None = None) -> bytes:
        """The answer's body exactly as received, JSON; NO_DATA where there is none.

        Args:
            path: what is asked, on Garmin's API host.
            params: of the query.
            asked_for: how an error names the question.
            tries: as `Manners.ask`.

        Raises:
            LoginNeeded: no tokens, or none that Garmin takes.
            TooManyRequests: Garmin answered 429.
            QuestionFailed: no good answer to this question, or it is refused; others may be answered.
            SourceError: nothing more is to be asked.
        """
        if not self._client.is_authenticated:
            self._use(self._store.load(self._athlete_id))
        try:
            return self._manners.ask(lambda: self._request(path, params), tries)
        except GarminConnectConnectionError as error:
            status = getattr(response_of(error), "status_code", None)
        if status == 404:
            return NO_DATA
        if status == 401:
            raise self._login_needed("refuses the renewed tokens")
        why = "; it may be blocking this address for a while" if status == 403 else ""
        message = f"Garmin Connect refused {asked_for} of {self._athlete_id}: HTTP {status}{why}"
        raise QuestionFailed(message, f"HTTP {status}{why}")

    def display_name(self) -> str:
        """By which paths name the account, fit to stand in one; asked once, also when there was no answer.

        Raises:
            QuestionFailed: Garmin does not tell it; questions whose paths do without it may be answered.
            SourceError: as `get`.
        """
        if self._display_name is None and self._why_no_display_name is None:
            try:
                self._display_name = self._asked_display_name()
            except QuestionFailed as error:
                self._why_no_display_name = error.reason
        if self._display_name is None:
            message = f"Garmin Connect tells no display name of {self._athlete_id}: {self._why_no_display_name}"
            raise QuestionFailed(message, f"no display name: {self._why_no_display_name}")
        return self._display_name

    def profile(self) -> dict[str, Any]:
        """What every account can answer. Raises as `get`."""
        profile = json.loads(self.get(PROFILE_PATH, {}, "the profile"))
        return profile if isinstance(profile, dict) else {}

    def _asked_display_name(self) -> str:
        name = self.profile().get("displayName")
        if not isinstance(name, str) or not name:
            raise QuestionFailed(f"the profile of {self._athlete_id} has no displayName", "set one in the profile")
        return quote(name, safe="")

    def _request(self, path: str, params: Mapping[str, str]) -> bytes:
        # Streamed, so that no more than a document's bound is ever held.
        response = self._client.request(
            "GET",
            "connectapi",
            path,
            params=dict(params),
            headers={"User-Agent": USER_AGENT},
            timeout=TIMEOUT_S,
            stream=True,
        )
        if response.status_code == 204:
            return NO_DATA
        body = bytearray()
        with closing(response):
            for chunk in response.iter_content(_CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_DOCUMENT_BYTES:
                    reason = f"more than {MAX_DOCUMENT_BYTES} bytes"
                    raise QuestionFailed(f"Garmin Connect answered with {reason}", reason)
        if not body.strip():
            return NO_DATA
        if why_unreadable(bytes(body)):
            raise BrokenAnswer
        return bytes(body)

    def _renew(self) -> None:
        """New tokens, stored and confirmed; or those that another run has stored meanwhile."""
        refused = self._client.di_token
        with self._take_lease():
            self._use(self._store.load(self._athlete_id))
            if self._client.di_token == refused or self._client.ends_soon():
                self._refresh()
                self._keep()
        self._manners.wait_for_turn()

    def _refresh(self) -> None:
        status: int | None
        try:
            self._manners.ask(self._client.refresh)
            return
        except QuestionFailed as error:
            # Without new tokens no question has an answer: this is no failure of one question.
            status, reason = None, error.reason
        except GarminConnectAuthenticationError:
            status, reason = 401, "there is no refresh token"
        except OSError as error:
            status = getattr(response_of(error), "status_code", None)
            reason = f"HTTP {status}"
        if status in (400, 401):
            raise self._login_needed("no longer takes the stored tokens")
        raise SourceError(
            f"Garmin Connect did not renew the tokens of {self._athlete_id} ({reason}); "
            "it may be blocking this address, and the tokens may be good: run again later"
        )

    def _keep(self) -> None:
        try:
            self._store.store(self._athlete_id, tokens_of(self._client, self._now()))
            return
        except ClientError as error:
            told = str(error.response["Error"]["Code"])
        except BotoCoreError as error:
            told = type(error).__name__
        raise LoginNeeded(
            f"Garmin renewed the tokens of {self._athlete_id}, and Parameter Store did not take the new ones ({told}); "
            f"the old ones are void: see that they can be stored, then run `{login_command(self._athlete_id)}`"
        )

    def _use(self, tokens: Tokens) -> None:
        if tokens.client != "garminconnect":
            raise SourceError(
                f"the stored tokens of {self._athlete_id} are of {tokens.client}: give the athlete that source, "
                f"or run `{login_command(self._athlete_id)}`"
            )
        if are_of_garmin_china(tokens.files):
            raise SourceError(f"the stored tokens of {self._athlete_id} {NOT_FOR_CHINA}")
        try:
            self._client.loads(tokens.files.get(TOKEN_FILE, ""))
            return
        except GarminConnectConnectionError:
            pass
        raise self._login_needed("cannot be asked with the stored tokens")

    def _login_needed(self, what: str) -> LoginNeeded:
        return LoginNeeded(f"Garmin Connect {what} of {self._athlete_id}: run `{login_command(self._athlete_id)}`")


class _RenewingClient(NotingClient):
    """The client in a task: `renew` replaces what it does on its own, and it never logs in."""

    def __init__(self, renew: Callable[[], None]) -> None:
        super().__init__()
        self._renew = renew

    def refresh(self) -> None:
        """New tokens from the refresh token; raises an error that carries the response when they are refused."""
        self._refresh_di_token()

    def ends_soon(self) -> bool:
        """Whether the access token ends within a quarter of an hour."""
        return self._token_expires_soon()

    def login(self, *_: object, **__: object) -> Any:
        raise AssertionError("a task does not log in")

    def _refresh_session(self) -> None:
        self._renew()

    def _http_post(self, url: str, **kwargs: Any) -> Any:
        response = super()._http_post(url, **kwargs)
        response.raise_for_status()
        if not isinstance(_json_object(response).get("access_token"), str):
            raise BrokenAnswer
        return response


def _json_object(response: Any) -> dict[str, Any]:
    """{} for anything else; the error of a JSON parser would carry the text."""
    try:
        value = response.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
