"""The fake as a server: keys and bearer tokens, limits as other clients met them, and what was asked in which order."""

import base64
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.garmin.connect.fake_garmin import Fault
from tests.garmin.connect.fake_garmin.faults import Answer
from tests.garmin.connect.fake_personal_api.account import LIFE_S, PersonalAccount

TOKEN_PATH = "/personalapitoken-service/personal-api/personal-api-key/token"
PAGE_LIMIT, PAGE_DEFAULT = 45, 99
DAY_LIMIT, YEAR_LIMIT = 31, 365
Query = dict[str, str]
NO_CONTENT, UNAUTHORIZED, NOT_FOUND = Answer(204), Answer(401, b"{}"), Answer(404, b"{}")
BAD_REQUEST, BROKEN = Answer(400, b"{}"), Answer(500, b'{"error": "InternalServerError"}')


@dataclass(frozen=True)
class Seen:
    """One request and the status of its answer."""

    method: str
    path: str
    query: Query
    authorization: str
    status: int


@dataclass
class FakePersonalApi:
    """One account; `faults` go before what it answers."""

    account: PersonalAccount
    now: Callable[[], float] = time.time
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    most_at_once: int = 0
    is_key_good: bool = True
    """Whether the key is exchanged: not once it ended or was revoked."""
    _bearers: dict[str, float] = field(default_factory=dict)
    _issued: set[str] = field(default_factory=set)
    _at_once: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def asked(self, part: str) -> list[Seen]:
        return [each for each in self.seen if part in each.path]

    def exchanges(self) -> int:
        return len(self.asked(TOKEN_PATH))

    def secrets(self) -> set[str]:
        """All that must appear nowhere."""
        return {self.account.key, *self._issued}

    def revoke_bearers(self) -> None:
        """Every bearer token is refused from now on, whatever its end says."""
        self._bearers.clear()

    def revoke_key(self) -> None:
        self.is_key_good = False
        self.revoke_bearers()

    def answer(self, method: str, target: str, headers: dict[str, str]) -> Answer:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            fault = next((fault for fault in self.faults if fault.takes(target)), None)
            answer = (fault and fault.answer) or self._answer(method, parts.path, query, headers)
            self.seen.append(Seen(method, parts.path, query, headers.get("authorization", ""), answer.status))
            self._at_once -= 1
        return answer

    def _answer(self, method: str, path: str, query: Query, headers: dict[str, str]) -> Answer:
        authorization = headers.get("authorization", "")
        if path == TOKEN_PATH:
            good = method == "POST" and self.is_key_good and authorization == f"ApiKey {self.account.key}"
            return Answer(200, self._new_bearer().encode()) if good else UNAUTHORIZED
        if self._bearers.get(authorization.removeprefix("Bearer "), 0.0) <= self.now():
            return UNAUTHORIZED
        for pattern, answer in _ROUTES:
            if match := re.fullmatch(pattern, path):
                return answer(self.account, query | {"accept": headers.get("accept", "")}, *match.groups())
        return NOT_FOUND

    def _new_bearer(self) -> str:
        ends_at = self.now() + LIFE_S
        parts: list[dict[str, Any]] = [{"alg": "RS256"}, {"exp": int(ends_at)}]
        coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        bearer = ".".join([*coded, secrets.token_urlsafe(24)])
        self._bearers[bearer] = ends_at
        self._issued.add(bearer)
        return bearer

    def __enter__(self) -> "FakePersonalApi":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def ok(value: Any) -> Answer:
    """JSON as no serializer of ours writes it: what is kept must be these very bytes."""
    return Answer(200, json.dumps(value, indent=3).encode() + b"\r\n", {"Content-Type": "application/json"})


def _days(first: str, last: str) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days + 1


def _within(found: dict[str, Any], first: str, last: str) -> list[Any]:
    return [found[day] for day in sorted(found) if first <= day <= last]


def _activity_list(account: PersonalAccount, query: Query) -> Answer:
    start, limit = int(query.get("start", 0)), int(query.get("limit", PAGE_DEFAULT))
    if limit > PAGE_LIMIT:
        return BROKEN
    first, last = query.get("startDate", "0000"), query.get("endDate", "9999")
    newest_first = sorted(account.activities, key=lambda each: str(each["startTimeLocal"]), reverse=True)
    chosen = [each for each in newest_first if first <= each["startTimeLocal"][:10] <= last]
    return ok(chosen[start : start + limit])


def _download(account: PersonalAccount, query: Query, activity_id: str) -> Answer:
    if "application/x-zip-compressed" not in query["accept"]:
        return Answer(406, b"{}")
    body = account.files.get(int(activity_id))
    return NOT_FOUND if body is None else Answer(200, body, {"Content-Type": "application/x-zip-compressed"})


def _summaries(account: PersonalAccount, query: Query) -> Answer:
    first, last = query["startDate"], query["endDate"]
    return BROKEN if _days(first, last) > DAY_LIMIT else ok({"data": _within(account.summaries, first, last)})


def _sleep(account: PersonalAccount, query: Query) -> Answer:
    first, last = query["startDate"], query["endDate"]
    return BAD_REQUEST if _days(first, last) > DAY_LIMIT else ok(_within(account.sleep, first, last))


def _hrv(account: PersonalAccount, _query: Query, first: str, last: str) -> Answer:
    if _days(first, last) > YEAR_LIMIT:
        return BAD_REQUEST
    found = _within(account.hrv, first, last)
    return ok({"hrvSummaries": found, "userProfilePk": 7001}) if found else NO_CONTENT


def _weights(account: PersonalAccount, query: Query, first: str, last: str) -> Answer:
    if _days(first, last) > YEAR_LIMIT or query.get("includeAll") != "true":
        return BAD_REQUEST
    weighings = {
        day: {"calendarDate": day, "weight": grams, "timestampGMT": 1_770_000_000_000, "sourceType": "INDEX_SCALE"}
        for day, grams in account.weights.items()
    }
    found = [
        {"summaryDate": day, "numOfWeightEntries": 1, "latestWeight": each, "allWeightMetrics": [each]}
        for day, each in weighings.items()
        if first <= day <= last
    ]
    before = max((day for day in weighings if day < first), default=None)
    return ok({
        "dailyWeightSummaries": found,
        "totalAverage": {"from": 0, "until": 0, "weight": None},
        "previousDateWeight": weighings.get(before or ""),
        "nextDateWeight": None,
    })  # fmt: skip


def _heart_rate(account: PersonalAccount, query: Query) -> Answer:
    found = account.heart_rate.get(query["date"])
    return ok(found) if found else NO_CONTENT


_ROUTES: list[tuple[str, Callable[..., Answer]]] = [
    (r"/activitylist-service/activities/search/activities", _activity_list),
    (r"/download-service/files/activity/(\d+)", _download),
    (r"/usersummary-service/v2/dailysummaries", _summaries),
    (r"/sleep-service/sleep/dailySleepSummariesByDate", _sleep),
    (r"/hrv-service/hrv/daily/([\d-]+)/([\d-]+)", _hrv),
    (r"/weight-service/weight/range/([\d-]+)/([\d-]+)", _weights),
    (r"/weight-service/weight/all/([\d-]+)/([\d-]+)", lambda *_: BAD_REQUEST),
    (r"/wellness-service/wellness/dailyHeartRate", _heart_rate),
]


def _handler_of(fake: FakePersonalApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: 40 ms a request otherwise

        def _respond(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.rfile.read(int(headers.get("content-length", "0")))
            answer = fake.answer(self.command, self.path, headers)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(answer.announced or len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = self.close_connection or answer.announced is not None

        do_GET = do_POST = _respond

        def log_message(self, *_: object) -> None:
            pass

    return Handler
