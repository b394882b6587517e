"""Garmin Connect through garminexport: the activity list and the activities' summaries, on tokens made by garth.

It has no days, sleep, HRV or daily VO2max: garminexport knows activities alone. VO2max comes from the list, in whole
numbers. The oauth2 token lasts about a day and is renewed from the oauth1 token, which lasts about a year.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime
from functools import partial
from pathlib import Path

from include.garmin.connect import activity_list
from include.garmin.connect.garminexport_client import (
    OAUTH1_FILE,
    OAUTH2_FILE,
    PROFILE_PATH,
    BadTokens,
    StoredTokensClient,
)
from include.garmin.connect.manners import Manners, QuestionFailed, response_of
from include.garmin.connect.questions import Question
from include.garmin.connect.token_source import TokenSource
from include.garmin.connect.tokens import (
    NOT_FOR_CHINA,
    Tokens,
    TokenStore,
    are_of_garmin_china,
    login_command,
    require_athlete_id,
)
from include.garmin.connect.unanswered import Asking
from include.garmin.document import Held, LoginNeeded, RawDocument, SourceError, nothing_held
from include.garmin.periods import months


class GarminExportSource(TokenSource):
    """The athletes whose garth tokens are in Parameter Store; it never logs in."""

    client = "garminexport"

    def fetch(
        self, athlete_id: str, start: date | None, end: date | None, held: Held = nothing_held
    ) -> Iterator[RawDocument]:
        """By calendar months, newest first: the summaries that are not `held`, then the pages of the list.

        The first page of a month comes last: where it is `held`, the whole month is, and is not asked for. Without
        `start`, the whole list. Questions without an answer are passed over, and named by the error (`Unanswered`) that
        comes after the last answer.
        """
        require_athlete_id(athlete_id)
        if start and end and start > end:
            raise SourceError(f"start {start} is after end {end}")
        return self._documents(athlete_id, start, min(end or self._today, self._today), held)

    def _documents(self, athlete_id: str, start: date | None, end: date, held: Held) -> Iterator[RawDocument]:
        # mkdtemp makes it readable to this user alone; it goes when the last document is handed out.
        with tempfile.TemporaryDirectory(prefix="garmin-tokens-") as folder:
            take_lease = partial(self._lease, athlete_id)
            account = _Account(athlete_id, Path(folder), self._store, take_lease, self._manners, self._now)
            asking = Asking(athlete_id, account.get, account.is_answering)
            if start is None:
                for page in activity_list.whole_history(end, asking):
                    yield page.document
                    due = [each for each in page.listed if each.day <= end]
                    yield from activity_list.summaries(due, asking, held)
            elif start <= end:
                for first, last in months(start, end):
                    yield from activity_list.month_documents(first, last, asking, held)
            asking.finish()


@dataclasses.dataclass
class _Account:
    """One athlete's connection, with the token files in a private folder; it connects with the first question."""

    athlete_id: str
    folder: Path
    store: TokenStore
    take_lease: Callable[[], AbstractContextManager[None]]
    manners: Manners
    now: Callable[[], datetime]
    client: StoredTokensClient | None = None

    def get(self, question: Question, tries: int | None = None) -> RawDocument:
        """The answer as received, asked for in at most so many tries.

        Raises:
            LoginNeeded: no tokens, or none that Garmin takes.
            TooManyRequests: Garmin answered 429.
            QuestionFailed: no good answer to this question, or it is refused; others may be answered.
            SourceError: nothing more is to be asked.
        """
        body = self._get(question.path, question.params, str(question), tries)
        return RawDocument(question.kind, question.last_day, question.name, body)

    def is_answering(self) -> bool:
        """Whether Garmin answers what every account can answer."""
        try:
            self._get(PROFILE_PATH, {}, "the profile")
        except QuestionFailed:
            return False
        return True

    def _get(self, path: str, params: Mapping[str, str], asked_for: str, tries: int | None = None) -> bytes:
        client = self.client or self._use(self.store.load(self.athlete_id))
        if client.ends_soon():
            client = self._renewed(client)
        body, status = self._ask(lambda: client.answer(path, params), tries)
        if status == 401:  # revoked before its time
            renewed = self._renewed(client)
            body, status = self._ask(lambda: renewed.answer(path, params), tries)
        if status == 401:
            raise self._login_needed("refuses the renewed tokens")
        if body is None:
            why = "; it may be blocking this address for a while" if status == 403 else ""
            message = f"Garmin Connect refused {asked_for} of {self.athlete_id}: HTTP {status}{why}"
            raise QuestionFailed(message, f"HTTP {status}{why}")
        return bytes(body)

    def _ask[T](self, call: Callable[[], T], tries: int | None = None) -> tuple[T | None, int]:
        """The answer, or None and the status that another try does not mend. No error of requests gets any further."""
        try:
            return self.manners.ask(call, tries), 200
        except OSError as error:
            return None, int(response_of(error).status_code)

    def _renewed(self, refused: StoredTokensClient) -> StoredTokensClient:
        """A client on a new oauth2 token, which is stored before anything else is asked with it."""
        with self.take_lease():
            tokens = self.store.load(self.athlete_id)
            client = self._use(tokens)
            if client.oauth2 != refused.oauth2 and not client.ends_soon():
                return client  # another run was first
            try:
                oauth2 = self._new_oauth2(client)
            except QuestionFailed as error:
                # Without a new token no question has an answer: this is no failure of one question.
                raise SourceError(f"the token of {self.athlete_id} was not renewed: {error}; run again later") from None
            files = {**tokens.files, OAUTH2_FILE: oauth2}
            renewed = dataclasses.replace(tokens, files=files, stored_at=self.now())
            self.store.store(self.athlete_id, renewed)
            return self._use(renewed)

    def _new_oauth2(self, client: StoredTokensClient) -> str:
        _, status = self._ask(client.know_consumer)
        if status != 200:
            raise SourceError(f"the OAuth consumer key that garth signs with cannot be had: HTTP {status}")
        oauth2, status = self._ask(client.new_oauth2)
        if status in (400, 401):
            raise self._login_needed("no longer takes the oauth1 token")
        if oauth2 is None:
            raise SourceError(
                f"Garmin Connect did not renew the token of {self.athlete_id} (HTTP {status}); "
                "it may be blocking this address, and the tokens may be good: run again later"
            )
        return oauth2

    def _use(self, tokens: Tokens) -> StoredTokensClient:
        if tokens.client != "garminexport":
            raise SourceError(
                f"the stored tokens of {self.athlete_id} are of {tokens.client}: give the athlete that source, "
                "or store tokens that garth made"
            )
        if are_of_garmin_china(tokens.files):
            raise SourceError(f"the stored tokens of {self.athlete_id} {NOT_FOR_CHINA}")
        for name in (OAUTH1_FILE, OAUTH2_FILE):
            (self.folder / name).write_text(tokens.files.get(name, ""))
        try:
            self.client = StoredTokensClient(self.folder)
        except BadTokens as error:
            told = str(error)
        else:
            return self.client
        raise LoginNeeded(f"stored tokens of {self.athlete_id}: {told}; run `{login_command(self.athlete_id)}`")

    def _login_needed(self, what: str) -> LoginNeeded:
        return LoginNeeded(f"Garmin Connect {what} of {self.athlete_id}: run `{login_command(self.athlete_id)}`")
