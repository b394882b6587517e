"""The page as the Lambda sends it, under a base path, before canned answers; and a browser to look at it."""

import json
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from include.forecast.race_time import race_times
from include.serving import browser_page

BASE = "/restapis/abc123/v1/_user_request_/"
KEY = "a-key"
EVIDENCE = {"1-7": "persistence", "8-14": "persistence", "15-28": "combined", "29-42": "combined"}
CHROMIUM = Path("/usr/bin/chromium")


def history(as_of: date, days: int = 700) -> dict[str, Any]:
    """Two years of a runner: load in blocks, a reading every fourth day, precise in the last year."""
    readings, load = [], []
    ctl = atl = 40.0
    for n in range(days):
        day = as_of - timedelta(days=days - 1 - n)
        today = max(0.0, 55 + 30 * math.sin(n / 45) + 45 * (n * 7919 % 100 / 50 - 1))
        ctl, atl = ctl + (today - ctl) / 42, atl + (today - atl) / 7
        load.append(
            {
                "day": day.isoformat(),
                "ctl": round(ctl, 1),
                "atl": round(atl, 1),
                "tsb": round(ctl - atl, 1),
                "load": today,
            }
        )
        if n % 4 == 0:
            value = 49.8 + (n - 696) / 300 + 1.6 * math.sin((n - 696) / 60)
            precise = n > days - 365
            readings.append(
                {"day": day.isoformat(), "vo2max": round(value, 1 if precise else 0), "is_precise": precise}
            )
    load[0] |= {"ctl": None, "atl": None, "tsb": None}
    return {
        "athlete_id": "anna",
        "sport": "running",
        "as_of": as_of.isoformat(),
        "readings": readings,
        "load": load,
    }


def forecast(as_of: date, *, sport: str = "running", confidence: str = "normal") -> dict[str, Any]:
    """Forty-two days: persistence for two weeks, then the combined forecast, each range with its evidence."""
    days = []
    for h in range(1, 43):
        value, half = 49.8 + 0.02 * h, 0.35 * math.sqrt(h)
        days.append(
            {
                "day": (as_of + timedelta(days=h)).isoformat(),
                "horizon_days": h,
                "vo2max": round(value, 2),
                "low_80": round(value - half * 0.78, 2),
                "high_80": round(value + half * 0.78, 2),
                "low_90": round(value - half, 2),
                "high_90": round(value + half, 2),
                "served_by": "persistence" if h <= 14 else "combined",
            }
        )
    return {
        "athlete_id": "anna",
        "sport": sport,
        "as_of": as_of.isoformat(),
        "last_reading": {"vo2max": 49.8, "day": (as_of - timedelta(days=3)).isoformat(), "age_days": 3},
        "confidence": confidence,
        "confidence_reason": "Short history: there are 40 days of training, 120 are enough."
        if confidence == "low"
        else None,
        "notes": [],
        "evidence": [
            {"days": name, "answered_by": method, "sentence": f"On 8 athletes it was measured at {name}."}
            for name, method in EVIDENCE.items()
        ],
        "model": {"version": "20261123t235900z", "dataset_version": "20261123t230000z"},
        "days": days,
        "what_if": {"enabled": False, "reason": "planned training load proved no gain"},
        "race_times": race_times(sport, days),
    }


@dataclass
class Stub:
    """A server whose answers a test can change: path below the base -> (status, headers, document)."""

    port: int
    answers: dict[str, tuple[int, dict[str, str], Any]] = field(default_factory=dict)
    keys_seen: list[str | None] = field(default_factory=list)
    planned: list[Any] = field(default_factory=list)
    """Bodies of what-ifs, which are answered with what stands at `what-if`."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{BASE}"

    def answer(self, path: str, document: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.answers[path] = (status, headers or {}, document)

    def problem(self, path: str, status: int, title: str, detail: str, **more: Any) -> None:
        headers = {"Retry-After": str(more.pop("retry_after"))} if "retry_after" in more else {}
        self.answer(
            path, {"type": "about:blank", "title": title, "status": status, "detail": detail} | more, status, headers
        )


@pytest.fixture
def stub() -> Iterator[Stub]:
    """Two athletes, all well, data up to yesterday."""
    as_of = date.today() - timedelta(days=1)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path in (BASE, BASE.rstrip("/")):
                sent = browser_page.response(self.headers.get("If-None-Match"))
                self._send(sent["statusCode"], sent["headers"], sent["body"].encode())
                return
            key = self.headers.get("x-api-key")
            found.keys_seen.append(key)
            status, headers, document = found.answers.get(
                path.removeprefix(BASE), (404, {}, {"title": "?", "detail": path})
            )
            if key != KEY:
                status, headers = 403, {}
                document = {"title": "API key needed", "status": 403, "detail": "Send a key.", "field": "x-api-key"}
            self._send(status, {"Content-Type": "application/json", **headers}, json.dumps(document).encode())

        def do_POST(self) -> None:
            found.planned.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, headers, document = found.answers["what-if"]
            self._send(status, {"Content-Type": "application/json", **headers}, json.dumps(document).encode())

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Stub(server.server_address[1])
    found.answer("athletes", {"athletes": ["anna", "ben & co"]})
    for athlete in ("anna", "ben%20%26%20co"):
        found.answer(f"athletes/{athlete}/forecast", forecast(as_of))
        found.answer(f"athletes/{athlete}/history", history(as_of))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium of the system."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Any]:
    """`open_page(url, **context)` opens a page and fails the test on any script error or refused content."""
    contexts, faults = [], []

    def go(url: str, **context: Any) -> Any:
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None)
        page.goto(url)
        return page

    yield go
    for context in contexts:
        context.close()
    assert not faults, faults
