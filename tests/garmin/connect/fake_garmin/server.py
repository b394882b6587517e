"""The fake as a server: what was asked, in which order, and what is answered."""

import threading
import time
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from tests.garmin.connect.fake_garmin.accounts import Account, Accounts
from tests.garmin.connect.fake_garmin.answers import NOT_FOUND, api_answer, ok
from tests.garmin.connect.fake_garmin.faults import Answer, Fault
from tests.garmin.connect.fake_garmin.sign_in import UNAUTHORIZED, SignIn

HOST_HEADER = "X-Asked-Host"
CONSUMER = {"consumer_key": "fake-consumer", "consumer_secret": "fake-consumer-secret"}


@dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    status: int

    @property
    def place(self) -> str:
        return f"{self.host}{self.path}"


class FakeGarmin:
    """Garmin Connect with `accounts`, which does what `faults` say first. A context manager.

    `seen` is what was asked. Requests reach it by `redirected(...)` of `redirect.py`.
    """

    def __init__(self, *accounts: Account) -> None:
        self.accounts = Accounts()
        for account in accounts:
            self.accounts.add(account)
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self._sign_in = SignIn(self.accounts)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def asked(self, part: str = "") -> list[str]:
        """Paths asked of the API tier (not of the sign-in or token services) that contain `part`."""
        return [seen.path for seen in self.seen if seen.host == "connectapi.garmin.com" and part in seen.path]

    def secrets(self) -> set[str]:
        """All that must appear nowhere: tokens, tickets, passwords."""
        return self.accounts.issued | {account.password for account in self.accounts.known.values()}

    def answer(self, method: str, host: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        with self._lock:
            fault = next((fault for fault in self.faults if fault.takes(f"{host}{parts.path}")), None)
            answer = (fault and fault.answer) or self._answer(host, parts.path, query, headers, body)
            answer = replace(answer, delay_s=fault.delay_s) if fault else answer
            self.seen.append(Seen(method, host, parts.path, query, headers, answer.status))
        return answer

    def _answer(self, host: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        if host == "sso.garmin.com":
            return self._sign_in.sso(path, body) or NOT_FOUND
        if host == "diauth.garmin.com":
            return self._sign_in.di_token(body)
        if path == "/oauth_consumer.json":
            return ok(CONSUMER)
        authorization = headers.get("authorization", "")
        if path.startswith("/oauth-service/oauth/exchange/"):
            return self._sign_in.oauth1_exchange(authorization)
        account = self.accounts.of_access_token(authorization.removeprefix("Bearer "))
        if account is None:
            return UNAUTHORIZED
        return api_answer(account, path, query) or NOT_FOUND

    def __enter__(self) -> "FakeGarmin":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler_of(fake: FakeGarmin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: 40 ms a request otherwise

        def _respond(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            answer = fake.answer(self.command, headers[HOST_HEADER.lower()], self.path, headers, body)
            time.sleep(answer.delay_s)
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
