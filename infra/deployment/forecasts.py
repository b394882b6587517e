"""Asks for every athlete's forecast over REST and checks what comes."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from infra.deployment.addresses import Addresses

SHOWN_DAYS = (7, 14, 28, 42)
BUCKETS = {"1-7": range(1, 8), "8-14": range(8, 15), "15-28": range(15, 29), "29-42": range(29, 43)}
METHODS = ("combined", "persistence", "forecaster")
"""What may answer a day; `forecaster` where a model goes on serving that knows no combination."""
EMPTY_STATUS = (404, 409)
"""What the API answers for an athlete of whom there is no reading."""


@dataclass(frozen=True)
class Answer:
    """One athlete's answer: the forecast, or the problem document."""

    athlete_id: str
    status: int
    document: dict[str, Any]


def ask(addresses: Addresses, athlete_id: str, timeout_s: float = 30) -> Answer:
    """GET the forecast of one athlete; status 0 where nobody answers."""
    url = f"{addresses.api}/athletes/{athlete_id}/forecast"
    try:
        reply = httpx.get(url, params={"days": "42"}, headers={"x-api-key": addresses.api_key}, timeout=timeout_s)
        return Answer(athlete_id, reply.status_code, reply.json())
    except (httpx.HTTPError, ValueError) as error:
        return Answer(athlete_id, 0, {"detail": f"no JSON answer from {url}: {error}"})


def is_healthy(addresses: Addresses, patience_s: float, pause_s: float = 2) -> bool:
    """Whether the API says that it is well; it is asked again until `patience_s` are over."""
    deadline = time.monotonic() + patience_s
    while True:
        with suppress(httpx.HTTPError):
            reply = httpx.get(f"{addresses.api}/health", headers={"x-api-key": addresses.api_key}, timeout=30)
            if reply.status_code == httpx.codes.OK:
                return True
        if time.monotonic() + pause_s > deadline:
            return False
        time.sleep(pause_s)


def faults(answer: Answer, has_readings: bool) -> list[str]:
    """What is wrong with an answer; [] where it is as documented."""
    if answer.status != httpx.codes.OK:
        if not has_readings and answer.status in EMPTY_STATUS and answer.document.get("detail"):
            return []
        return [f"answered {answer.status}: {answer.document.get('detail', answer.document)}"]
    document = answer.document
    days = document.get("days", [])
    found = [] if document.get("athlete_id") == answer.athlete_id else ["is another athlete's"]
    if [day["horizon_days"] for day in days] != list(range(1, 43)):
        return [*found, f"has {len(days)} days, not 42"]
    if missing := [name for name in ("as_of", "last_reading", "model", "sport") if not document.get(name)]:
        found.append(f"has no {', '.join(missing)}")
    return found + [fault for day in days for fault in _faults_of_day(day)]


def _faults_of_day(day: dict[str, Any]) -> Iterator[str]:
    ordered = [day["low_90"], day["low_80"], day["vo2max"], day["high_80"], day["high_90"]]
    if ordered != sorted(ordered):
        yield f"day {day['horizon_days']}: bands do not hold the value: {ordered}"
    if not 10 < day["vo2max"] < 100:
        yield f"day {day['horizon_days']}: VO2max {day['vo2max']} is no human's"
    if day["served_by"] not in METHODS:
        yield f"day {day['horizon_days']}: served by {day['served_by']!r}"


def summary(answers: Sequence[Answer]) -> str:
    """The table of the forecasts, and below it what each of them rests on."""
    return "\n\n".join(part for part in (table(answers), reasons(answers)) if part)


def table(answers: Sequence[Answer]) -> str:
    """The forecasts as aligned text; athletes without a reading say why they have none."""
    head = ["athlete", "as of", "last reading", *(f"+{day} d" for day in SHOWN_DAYS), *BUCKETS]
    rows = [head, *(_row(answer) for answer in answers if answer.status == httpx.codes.OK)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [
        f"{a.athlete_id}: no forecast ({a.status}): {a.document.get('detail', '')}"
        for a in answers
        if a.status != httpx.codes.OK
    ]
    return "\n".join(lines)


def reasons(answers: Sequence[Answer]) -> str:
    """What each forecast rests on in the API's words: the evidence of its last days, and what the athlete is told."""
    lines = []
    for answer in answers:
        document = answer.document
        said = [
            f"days {entry['days']} ({entry['answered_by']}): {entry['sentence']}" for entry in _last_range(document)
        ]
        said += [text for text in (document.get("confidence_reason"), *document.get("notes", [])) if text]
        lines += [f"{answer.athlete_id}, {' '.join(said)}"] if said else []
    return "\n".join(lines)


def _last_range(document: Mapping[str, Any]) -> Sequence[dict[str, str]]:
    """The evidence of the days farthest ahead, where a forecast has most to add to the last reading; or none."""
    found: Sequence[dict[str, str]] = document.get("evidence", [])
    return found[-1:]


def _row(answer: Answer) -> list[str]:
    document = answer.document
    days = {day["horizon_days"]: day for day in document.get("days", [])}
    last = document.get("last_reading") or {}
    values = [f"{days[day]['vo2max']:.1f}" if day in days else "-" for day in SHOWN_DAYS]
    served = [", ".join(sorted({days[d]["served_by"] for d in span if d in days})) for span in BUCKETS.values()]
    reading = f"{last.get('vo2max')} on {last.get('day')}"
    return [answer.athlete_id, str(document.get("as_of")), reading, *values, *served]
