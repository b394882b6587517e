"""EventBridge in this local AWS."""

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.localaws.events.bus import Bus, matching
from infra.localaws.events.clock import Clock, Time
from infra.localaws.world import ACCOUNT_ID, Environ, StartResponse, World

CLOCK_PATH = "/_localaws/clock"


class _Installed:
    bus: Bus | None = None
    time: Time | None = None


def bus() -> Bus:
    if _Installed.bus is None:
        raise RuntimeError("EventBridge is not installed")
    return _Installed.bus


def time() -> Time:
    if _Installed.time is None:
        raise RuntimeError("EventBridge is not installed")
    return _Installed.time


def install(world: World) -> None:
    """Deliver events and fire schedules in `world`."""
    from infra.localaws.events import moto_records

    region = world.config.region

    def rules_of(event: Mapping[str, Any], bus_name: str) -> Iterable[Any]:
        return matching(
            _rules(str(event.get("account") or ACCOUNT_ID), str(event.get("region") or region), bus_name), event
        )

    running = Bus(rules_of)
    clock = Clock(
        Time(),
        lambda: _rules(ACCOUNT_ID, region, "default"),
        lambda rule, due: running.put(scheduled_event(rule, due, region), rule=rule),
    )
    _Installed.bus, _Installed.time = running, clock.time
    moto_records.patch()
    world.event_sinks.append(lambda event: running.put(envelope(event, region, clock.time.now())))
    world.route(lambda environ: environ["PATH_INFO"] == CLOCK_PATH, _clock_app(clock))
    world.on_shutdown(clock.close)
    world.on_shutdown(running.close)
    clock.start()


def _rules(account: str, region: str, bus_name: str) -> list[Any]:
    from moto.events.models import events_backends

    event_bus = events_backends[account][region].event_buses.get(bus_name)
    return list(event_bus.rules.values()) if event_bus else []


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def envelope(event: Mapping[str, Any], region: str, now: datetime) -> dict[str, Any]:
    """An event as EventBridge hands it on: what the publisher left out is filled in."""
    return {
        "version": "0",
        "id": event.get("id") or str(uuid.uuid4()),
        "detail-type": event["detail-type"],
        "source": event["source"],
        "account": event.get("account") or ACCOUNT_ID,
        "time": event.get("time") or iso(now),
        "region": event.get("region") or region,
        "resources": list(event.get("resources") or []),
        "detail": event.get("detail") or {},
    }


def scheduled_event(rule: Any, due: datetime, region: str) -> dict[str, Any]:
    """What a rule's schedule sends."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account_id,
        "time": iso(due),
        "region": region,
        "resources": [rule.arn],
        "detail": {},
    }


def _clock_app(clock: Clock) -> Any:
    """`POST /_localaws/clock {"advance_s": 3600}`: schedules go by a clock that can be put forward."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        status, answer = "200 OK", {}
        if environ["REQUEST_METHOD"] == "POST":
            try:
                body = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
                clock.time.advance(timedelta(seconds=max(0.0, float(body["advance_s"]))))
                clock.tick()
            except (ValueError, KeyError, TypeError, OverflowError):
                status, answer = "400 Bad Request", {"message": 'a body like {"advance_s": 60} is needed'}
        answer["now"] = iso(clock.time.now())
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    return app
