"""moto's rules made to act: patterns and schedules are checked, events go to our bus."""

import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from infra.localaws.events.bus import is_deliverable
from infra.localaws.events.cron import ScheduleError
from infra.localaws.events.pattern import PatternError, compile_pattern
from infra.localaws.events.schedule import parse_schedule

MAX_ENTRIES = 10
"""More in one PutEvents are refused as a whole."""
NOT_AUTHORIZED = {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}


def patch() -> None:
    """Change moto's classes, once a process."""
    models: Any = import_module("moto.events.models")
    handler: Any = import_module("moto.events.responses").EventsHandler
    EventsBackend, Rule = models.EventsBackend, models.Rule  # noqa: N806 - moto's classes
    if getattr(Rule, "delivers_for_real", False):
        return
    Rule.delivers_for_real = True
    Rule.send_to_targets = sending(Rule.send_to_targets)
    Rule.enable = enabling(Rule.enable)
    EventsBackend.put_rule = checked_rule(EventsBackend.put_rule)
    EventsBackend.put_targets = checked_targets(EventsBackend.put_targets)
    EventsBackend.put_events = refusing_sources_of_aws(EventsBackend.put_events)
    handler.test_event_pattern = test_event_pattern


def sending(original: Callable[..., None]) -> Callable[..., None]:
    """moto calls this for every rule of a bus and every event put on it: matching and delivery are ours."""

    @functools.wraps(original)
    def send(self: Any, original_event: dict[str, Any], transform_input: bool = True) -> None:
        from infra.localaws.events.service import bus

        if any(target["Arn"].split(":")[2:5] == ["events", self.region_name, ""] for target in self.targets):
            original(self, original_event, transform_input)  # the rule by which moto fills an archive
            return
        pattern = self.event_pattern.dump()
        event = _envelope(original_event)
        if self.state != "DISABLED" and pattern and compile_pattern(pattern)(event):
            bus().put(event, self.event_bus_name, rule=self)

    return send


def _envelope(message: dict[str, Any]) -> dict[str, Any]:
    from infra.localaws.events.service import envelope, iso

    when = message.get("time")
    now = datetime.now(UTC)
    if isinstance(when, int | float):
        when = iso(datetime.fromtimestamp(when, UTC))
    event = envelope({**message, "time": when}, str(message["region"]), now)
    if "replay-name" in message:
        event["replay-name"] = message["replay-name"]
    return event


def enabling(original: Callable[..., None]) -> Callable[..., None]:
    """A rate counts from when its rule was enabled."""

    @functools.wraps(original)
    def enable(self: Any) -> None:
        from infra.localaws.events.service import time

        if self.state == "DISABLED":
            self.made_at_s = time().now().timestamp()
        original(self)

    return enable


def checked_rule(original: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a pattern or a schedule that could not work; keep a rate's phase where the schedule stays the same."""

    @functools.wraps(original)
    def put_rule(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        from moto.events.exceptions import InvalidEventPatternException, ValidationException

        from infra.localaws.events.service import time

        pattern, schedule = kwargs.get("event_pattern"), kwargs.get("scheduled_expression")
        try:
            if pattern:
                compile_pattern(pattern)
            if schedule:
                parse_schedule(schedule)
        except PatternError as e:
            raise InvalidEventPatternException(reason=str(e)) from e
        except ScheduleError as e:
            raise ValidationException("Parameter ScheduleExpression is not valid.") from e
        event_bus = self.event_buses.get(self._normalize_event_bus_arn(kwargs.get("event_bus_arn")))
        before = event_bus.rules.get(name) if event_bus else None
        rule = original(self, name, *args, **kwargs)
        unchanged = before is not None and (before.scheduled_expression, before.state) == (schedule, rule.state)
        rule.made_at_s = getattr(before, "made_at_s", None) if unchanged else None
        if rule.made_at_s is None:
            rule.made_at_s = time().now().timestamp()
        return rule

    return put_rule


def checked_targets(original: Callable[..., None]) -> Callable[..., None]:
    """Refuse a target that would never get its events."""

    @functools.wraps(original)
    def put_targets(self: Any, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        from moto.events.exceptions import ValidationException

        for target in targets:
            if target["Arn"].startswith("arn:") and not is_deliverable(target["Arn"]):
                raise ValidationException(f"Local AWS does not deliver events to {target['Arn']}.")
        original(self, name=name, event_bus_arn=event_bus_arn, targets=targets)

    return put_targets


def refusing_sources_of_aws(original: Callable[..., list[dict[str, Any]]]) -> Callable[..., list[dict[str, Any]]]:
    """Refuse, entry by entry, events in the name of an AWS service: only that service may send them."""

    @functools.wraps(original)
    def put_events(self: Any, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        allowed = [event for event in events if not str(event.get("Source") or "").startswith("aws.")]
        if len(allowed) == len(events) or len(events) > MAX_ENTRIES:
            return original(self, events)
        answers = iter(original(self, allowed))
        return [next(answers) if event in allowed else dict(NOT_AUTHORIZED) for event in events]

    return put_events


def test_event_pattern(self: Any) -> str:
    """TestEventPattern, which moto lacks."""
    from moto.events.exceptions import InvalidEventPatternException

    try:
        matches = compile_pattern(self._get_param("EventPattern"))(json.loads(self._get_param("Event")))
    except PatternError as e:
        raise InvalidEventPatternException(reason=str(e)) from e
    return json.dumps({"Result": matches})
