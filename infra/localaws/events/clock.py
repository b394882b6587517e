"""The one thread that fires schedules."""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.localaws.events.cron import ScheduleError
from infra.localaws.events.schedule import parse_schedule

log = logging.getLogger("localaws.events")

LONGEST_SLEEP_S = 1.0
"""How late a new rule, or a clock that was set, may be seen."""


class Time:
    """The time schedules go by: the wall's, plus what it was advanced by."""

    def __init__(self, wall: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._wall = wall
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return self._wall() + self._ahead

    def advance(self, by: timedelta) -> None:
        """Go on by so much: what falls due in between fires once."""
        self._ahead += by


class Clock:
    """Calls `fire(rule, due)` for every enabled rule with a schedule when it is due. A rule that came due several
    times since the last look fires once, for the first of them; times that passed while nothing ran are not made up."""

    def __init__(self, time: Time, rules: Callable[[], Iterable[Any]], fire: Callable[[Any, datetime], None]) -> None:
        self.time = time
        self._rules = rules
        self._fire = fire
        self._looked = time.now()
        self._stop = threading.Event()
        self._tick_lock = threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="event-clock").start()

    def close(self) -> None:
        self._stop.set()

    def tick(self) -> datetime | None:
        """Fire what came due since the last tick; the time at which the next is due, or None."""
        with self._tick_lock:
            now, since = self.time.now(), self._looked
            self._looked = max(now, since)
            upcoming: list[datetime] = []
            for rule in self._rules():
                after = self._due(rule, since, now)
                if after is not None:
                    upcoming.append(after)
            return min(upcoming, default=None)

    def _due(self, rule: Any, since: datetime, now: datetime) -> datetime | None:
        if rule.state == "DISABLED" or not rule.scheduled_expression:
            return None
        try:
            following = parse_schedule(rule.scheduled_expression)
        except ScheduleError as e:
            log.warning("rule %s does not fire: %s", rule.name, e)
            return None
        made = made_at(rule, now)
        due = following(made, max(since, made))
        if due is not None and due <= now:
            self._fire(rule, due)
            due = following(made, now)
        return due

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                upcoming = self.tick()
            except Exception:
                log.exception("the clock of schedules stumbled")
                upcoming = None
            left = LONGEST_SLEEP_S if upcoming is None else (upcoming - self.time.now()).total_seconds()
            self._stop.wait(min(max(left, 0.01), LONGEST_SLEEP_S))


def made_at(rule: Any, now: datetime) -> datetime:
    """When a rule was made or last enabled: kept on moto's record, so that it outlives a restart."""
    if not hasattr(rule, "made_at_s"):
        rule.made_at_s = now.timestamp()
    return datetime.fromtimestamp(rule.made_at_s, UTC)
