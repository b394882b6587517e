"""garminexport's client on tokens that are there already: it never logs in, and gives answers as they were received."""

import dataclasses
import json
import logging
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import garth
from garminexport.authenticator import Authenticator, ensure_authenticated
from garminexport.garminclient import GarminClient
from garminexport.token_store import time_to_expiry
from garth import sso
from garth.auth_tokens import OAuth1Token, OAuth2Token

from include.garmin.connect.manners import BrokenAnswer, QuestionFailed
from include.garmin.raw import MAX_DOCUMENT_BYTES, why_unreadable

OAUTH1_FILE = "oauth1_token.json"
OAUTH2_FILE = "oauth2_token.json"
API = "https://connectapi.garmin.com"
PROFILE_PATH = "/userprofile-service/socialProfile"
NO_DATA = b"null"
"""The body kept where Garmin answered 204, 404 or nothing, so that it is not asked for again."""
TIMEOUT_S = 30.0
"""garminexport itself waits for ever."""
RENEWED_BEFORE_S = 15 * 60.0
_CHUNK_BYTES = 256 * 1024

# At level DEBUG these write the Authorization header.
for _name in ("oauthlib", "requests_oauthlib"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class BadTokens(Exception):
    """Token files that garth cannot read; the message tells nothing of what is in them."""


class _StoredTokens(Authenticator):  # type: ignore[misc] # garminexport has no types
    """Sessions from the token files as they are: no login and no renewal of its own.

    garminexport logs in with the password as soon as the refresh token of oauth2 has ended, although oauth1 is
    exchanged for a new one without it. Who holds the client does that, before anything is asked.
    """

    def _ensure_token(self) -> Any:
        return self.token_store.get_oauth2_token()

    def _ensure_fresh(self, token: OAuth2Token) -> OAuth2Token:
        return token

    def _acquire_tokens(self) -> Any:
        raise AssertionError("a task does not log in")


class StoredTokensClient(GarminClient):  # type: ignore[misc] # garminexport has no types
    """One athlete's client; every method makes one request and no retry.

    HTTP errors are raised before garminexport would read the answer: it puts whole bodies into messages, and takes a
    500 for an activity without file.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` holds both token files. Raises BadTokens."""
        super().__init__(username="", password="", auth_token_dir=str(folder))
        tokens: Any = self.authenticator.token_store  # type: ignore[has-type]
        self.authenticator = _StoredTokens(tokens, "", "")
        is_good = True
        try:
            self._oauth1: OAuth1Token = tokens.get_oauth1_token()
            self.oauth2: OAuth2Token = tokens.get_oauth2_token()
            time_to_expiry(self.oauth2)
        except Exception:  # pydantic's message holds the values
            is_good = False
        if not is_good:
            raise BadTokens(f"{OAUTH1_FILE} and {OAUTH2_FILE} are not what garth writes")

    def ends_soon(self) -> bool:
        """Whether the oauth2 token ends within a quarter of an hour."""
        return bool(time_to_expiry(self.oauth2) <= RENEWED_BEFORE_S)

    @ensure_authenticated  # type: ignore[untyped-decorator]
    def answer(self, path: str, params: Mapping[str, str]) -> bytes:
        """The answer's body exactly as received, JSON; NO_DATA where there is none.

        Raises:
            OSError: of requests: a network error, or a status that is no success.
            BrokenAnswer: the body is no JSON.
            QuestionFailed: it is larger than a document may be.
        """
        self.session.headers["User-Agent"] += " garmin-fitness-forecast"
        body = bytearray()
        with closing(self.session.get(API + path, params=dict(params), timeout=TIMEOUT_S, stream=True)) as response:
            if response.status_code != 404:
                response.raise_for_status()
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

    def know_consumer(self) -> None:
        """Get the app's OAuth consumer key that garth signs with, once a process: garth would wait for it for ever.

        Raises:
            OSError: of requests, as `answer`.
            BrokenAnswer: what came is no key.
        """
        if sso.OAUTH_CONSUMER:
            return
        response = _without_retries().sess.get(sso.OAUTH_CONSUMER_URL, timeout=TIMEOUT_S)
        response.raise_for_status()
        consumer = response.json()
        if not isinstance(consumer, dict) or not {"consumer_key", "consumer_secret"} <= consumer.keys():
            raise BrokenAnswer
        sso.OAUTH_CONSUMER.update(consumer)

    def new_oauth2(self) -> str:
        """A new `oauth2_token.json`, in exchange for the oauth1 token.

        Raises:
            OSError: of requests, as `answer`; status 401 when the oauth1 token has ended.
            BrokenAnswer: what came is no token.
        """
        try:
            token = sso.exchange(self._oauth1, _without_retries())
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, OSError):  # a body that is no JSON is both
                raise
            raise BrokenAnswer from None
        return json.dumps(dataclasses.asdict(token))


def _without_retries() -> garth.Client:
    """garth's connection, which otherwise asks again by itself, and waits as long as Retry-After says."""
    connection = garth.Client()
    connection.configure(retries=0, status_forcelist=())
    return connection
