"""One athlete's connection to Garmin's Personal API: answers as bytes, by Garmin's own client.

The athlete's key is exchanged for a bearer token of about 24 hours. The client keeps that token in a file and cannot be
asked not to, so the file lives in a private folder for the moment of the exchange, and Parameter Store keeps its text
beside the key: the tasks of a run, and the runs of a day, share one exchange.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError
from garmin_personal_api import GarminPersonalApiClient, GarminPersonalApiError, HttpError

from include.garmin.connect.manners import BrokenAnswer, Manners
from include.garmin.connect.personal_key import (
    BEARER_FILE,
    KEY_PAGE,
    TIMEOUT_S,
    api_key,
    exchange,
    stored_bearer,
    why_not_exchanged,
)
from include.garmin.connect.personal_session import ReceivingSession, StatusError
from include.garmin.connect.tokens import Tokens, TokenStore, key_command
from include.garmin.document import KeyNeeded, LoginNeeded, SourceError
from include.garmin.raw import why_unreadable

log = logging.getLogger(__name__)

NO_DATA = b"null"
"""The body kept where Garmin answered 204, 404 or nothing: there are no such data, and they are not asked for again."""

Call = Callable[[GarminPersonalApiClient], object]
"""One call of the client, which makes one request."""


class Refused(SourceError):
    """Garmin refused one question for good (400, or another 4xx); others may be answered."""


class PersonalConnection:
    """Asks as one athlete. The key is read when the first question is asked."""

    def __init__(
        self,
        athlete_id: str,
        store: TokenStore,
        take_lease: Callable[[], AbstractContextManager[None]],
        manners: Manners,
        now: Callable[[], datetime],
    ) -> None:
        """`take_lease` keeps other runs from exchanging the athlete's key meanwhile."""
        self._athlete_id = athlete_id
        self._store = store
        self._take_lease = take_lease
        self._manners = manners
        self._now = now
        self._session = ReceivingSession()
        self._client: GarminPersonalApiClient | None = None
        self._bearer: str | None = None
        self.key_ends_at: datetime | None = None
        """When the athlete's key ends, as far as it is known; read with the key."""

    def json(self, call: Call, asked_for: str) -> bytes:
        """The JSON body of an answer exactly as received; NO_DATA where there is none.

        Args:
            asked_for: how an error names the question.

        Raises:
            KeyNeeded: no key, or one that Garmin does not take.
            TooManyRequests: Garmin answered 429.
            Refused: this question is refused; others may be answered.
            SourceError: no good answer after all tries, or Garmin refuses this address.
        """
        return self._answer(call, asked_for, is_json=True)

    def file(self, call: Call, asked_for: str) -> bytes:
        """As `json`, for a download."""
        return self._answer(call, asked_for, is_json=False)

    def _answer(self, call: Call, asked_for: str, *, is_json: bool) -> bytes:
        if self._client is None:
            self._connect()
        body, status = self._ask(call, is_json=is_json)
        if status == 401:  # the bearer token was revoked before its time; a new one is had as long as the key is good
            self._connect()
            body, status = self._ask(call, is_json=is_json)
        if body is not None:
            return body
        if status == 404:
            return NO_DATA
        if status == 401:
            raise self._key_needed("refuses the token that it gave for the key")
        if status == 403:
            raise SourceError(
                f"Garmin's Personal API refused {asked_for} of {self._athlete_id} (HTTP 403); it may be blocking this "
                "address, or the key may not read this"
            )
        raise Refused(f"Garmin's Personal API refused {asked_for} of {self._athlete_id}: HTTP {status}")

    def _ask(self, call: Call, *, is_json: bool) -> tuple[bytes | None, int]:
        """The answer, or None and the status that another try does not mend."""
        try:
            return self._manners.ask(lambda: self._request(call, is_json=is_json)), 200
        except StatusError as error:
            return None, error.response.status_code

    def _request(self, call: Call, *, is_json: bool) -> bytes:
        client = self._client
        if client is None:
            raise AssertionError("a question before the connection")
        try:
            call(client)
        except HttpError:
            raise StatusError(self._session.received) from None
        except GarminPersonalApiError:
            return NO_DATA  # a download without a byte: the client's own way to say that there is no file
        body: bytes = self._session.received.content
        if not body.strip():
            return NO_DATA
        if is_json and why_unreadable(body):
            raise BrokenAnswer
        return body

    def _connect(self) -> None:
        """Use a token other than the one that was refused: the stored one, else a new one for the key."""
        refused = self._bearer
        bearer = stored_bearer(self._load())
        if bearer is None or bearer == refused:
            with self._take_lease():
                tokens = self._load()
                bearer = stored_bearer(tokens)
                if bearer is None or bearer == refused:  # no other run was first
                    bearer = self._exchanged(tokens)
        self._bearer = bearer
        self._client = GarminPersonalApiClient(bearer, timeout=TIMEOUT_S, session=self._session.session)

    def _exchanged(self, tokens: Tokens) -> str:
        """A new bearer token for the key, kept for the tasks that follow."""
        key, status = api_key(tokens), 200
        try:
            bearer, text = self._manners.ask(lambda: exchange(key, self._session))
        except StatusError as error:
            status = error.response.status_code
        except GarminPersonalApiError:
            status = 0
        if status in (400, 401):
            ended = tokens.good_until is not None and tokens.good_until <= self._now()
            raise self._key_needed(
                "no longer takes the key" if ended else "does not take the key: it was revoked, or has ended"
            )
        if status != 200:
            raise SourceError(why_not_exchanged(status, self._athlete_id))
        try:
            kept = replace(tokens, files={**tokens.files, BEARER_FILE: text}, stored_at=self._now())
            self._store.store(self._athlete_id, kept)
        except (ClientError, BotoCoreError, SourceError) as error:
            # The key is good without it: the next task exchanges it once more.
            log.warning("the bearer token of %s could not be kept: %s", self._athlete_id, type(error).__name__)
        return bearer

    def _load(self) -> Tokens:
        try:
            tokens = self._store.load(self._athlete_id)
        except LoginNeeded:
            tokens = None
        if tokens is None or tokens.client != "personalapi" or not api_key(tokens):
            raise KeyNeeded(
                f"no key of Garmin's Personal API: run `{key_command(self._athlete_id)}` with one from {KEY_PAGE}"
            )
        self.key_ends_at = tokens.good_until
        return tokens

    def _key_needed(self, what: str) -> KeyNeeded:
        end = f" (its end: {self.key_ends_at:%Y-%m-%d})" if self.key_ends_at else ""
        return KeyNeeded(f"Garmin {what}{end}: run `{key_command(self._athlete_id)}` with a new key from {KEY_PAGE}")
