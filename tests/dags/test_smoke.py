"""The smoke test of a deployment: asks for every listed athlete, and waits where the API says to."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest

from include import lake
from plugins.operators.smoke import SmokeTestFailed, first_forecast

Reply = tuple[int, dict[str, str], Any]
FORECAST: Reply = (200, {}, {"days": [{}] * 42, "model": {"version": "m1"}})
BUSY: Reply = (503, {"Retry-After": "7"}, {"title": "The endpoint did not answer"})
SETTINGS: Any = SimpleNamespace(bucket="lake")
OUTPUTS = {"ApiKeyId": "k", "ApiId": "a", "StageName": "v1"}


class Api:
    """Answers each path with its replies in turn, the last of them for ever."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[str] = []
        self.keys: set[str | None] = set()

    def reply(self, path: str, key: str | None) -> Reply:
        athlete_id = path.split("/athletes/")[1].removesuffix("/forecast")
        self.asked.append(athlete_id)
        self.keys.add(key)
        replies = self.replies.get(athlete_id, [(404, {}, {"title": "No such athlete"})])
        return replies.pop(0) if len(replies) > 1 else replies[0]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    found = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, document = found.reply(self.path, self.headers.get("x-api-key"))
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: the test looks at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield found
    server.shutdown()
    server.server_close()


class Pauses:
    """Instead of sleeping."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def smoke(athletes: list[Any], pauses: Pauses | None = None, **more: Any) -> str:
    body = json.dumps({"athletes": athletes}).encode()

    def get_object(**request: str) -> Any:
        assert (request["Bucket"], request["Key"]) == ("lake", lake.ATHLETES_KEY)
        return {"Body": BytesIO(body), "ETag": "e"}

    s3 = SimpleNamespace(get_object=get_object)
    gateway = SimpleNamespace(get_api_key=lambda **_: {"value": "secret"})
    return first_forecast(s3, gateway, SETTINGS, OUTPUTS, sleep=pauses or Pauses(), **more)


def test_athletes_of_a_source_of_their_own_are_asked_by_their_id(api: Api) -> None:
    api.replies["me"] = [FORECAST]
    assert smoke([{"athlete_id": "me", "source": "garminconnect"}]).startswith("me: 42 days")
    assert api.asked == ["me"]
    assert api.keys == {"secret"}


def test_the_next_athlete_is_asked_where_one_has_no_reading(api: Api) -> None:
    api.replies |= {"anna": [(409, {}, {})], "me": [FORECAST]}
    assert smoke(["anna", {"athlete_id": "me", "source": "garminconnect"}]).startswith("me:")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_api_that_says_when_to_come_again_is_waited_for(api: Api, status: int) -> None:
    api.replies["anna"] = [(status, {"Retry-After": "7"}, {})] * 3 + [FORECAST]
    pauses = Pauses()
    assert smoke(["anna"], pauses).startswith("anna:")
    assert pauses.seconds == [7, 7, 7]


@pytest.mark.parametrize(("text", "pause_s"), [("0", 1), ("3600", 60), ("soon", 5), ("-4", 5)])
def test_it_waits_within_reason(api: Api, text: str, pause_s: float) -> None:
    api.replies["anna"] = [(503, {"Retry-After": text}, {}), FORECAST]
    pauses = Pauses()
    smoke(["anna"], pauses)
    assert pauses.seconds == [pause_s]


def test_an_endpoint_that_never_wakes_is_judged_in_the_end(api: Api) -> None:
    api.replies["anna"] = [BUSY]
    with pytest.raises(SmokeTestFailed, match="anna: the API answered 503"):
        smoke(["anna"], patience_s=5)


@pytest.mark.parametrize("status", [400, 403, 429, 500, 502])
def test_an_answer_that_time_does_not_mend_is_judged_at_once(api: Api, status: int) -> None:
    """A used up quota, or a model that fails on an athlete's features (502 of our own)."""
    api.replies["anna"] = [(status, {}, {"title": "The model failed"})]
    pauses = Pauses()
    with pytest.raises(SmokeTestFailed, match=f"answered {status}"):
        smoke(["anna"], pauses)
    assert pauses.seconds == []


def test_nobody_answers(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SmokeTestFailed, match="nobody answered"):
        smoke(["anna"], patience_s=0)


def test_no_athlete_has_a_forecast(api: Api) -> None:
    with pytest.raises(SmokeTestFailed, match="any of 2 athletes"):
        smoke(["anna", "ben"])
