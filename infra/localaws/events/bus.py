"""Events on their way from whoever publishes to the targets of the rules that match. Nobody who publishes waits."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from infra.localaws.events.pattern import compile_pattern
from infra.localaws.events.targets import DELIVERABLE, DeliveryError, dead_letter, deliver, service_of
from infra.localaws.events.transform import target_input

log = logging.getLogger("localaws.events")

PRINCIPAL = "events.amazonaws.com"
MAX_RETRIES = 185
MAX_AGE_S = 86_400.0
FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 60.0


@dataclass(frozen=True)
class Delivery:
    """One event for one target."""

    target: Mapping[str, Any]
    message: str
    rule_arn: str
    began_s: float
    tries: int = 0


class Bus:
    """Matches and delivers in its own threads. What is under way when local AWS ends is lost."""

    def __init__(self, rules_of: Callable[[Mapping[str, Any], str], Iterable[Any]]) -> None:
        self._rules_of = rules_of
        self._incoming: queue.SimpleQueue[tuple[Mapping[str, Any], str, Any] | None] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="event-target")
        self._closed = threading.Event()
        threading.Thread(target=self._match_all, daemon=True, name="event-bus").start()

    def put(self, event: Mapping[str, Any], bus_name: str = "default", rule: Any = None) -> None:
        """Take an event in its whole envelope: for all rules that match, or for one (a schedule's) alone."""
        self._incoming.put((event, bus_name, rule))

    def close(self) -> None:
        self._closed.set()
        self._incoming.put(None)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _match_all(self) -> None:
        while (item := self._incoming.get()) is not None:
            event, bus_name, rule = item
            try:
                rules = [rule] if rule is not None else self._rules_of(event, bus_name)
                for one in rules:
                    self._send(one, event)
            except Exception:
                log.exception("event %s (%s) was not matched", event.get("id"), event.get("detail-type"))

    def _send(self, rule: Any, event: Mapping[str, Any]) -> None:
        for target in list(rule.targets):
            try:
                message = target_input(target, event, rule.arn, str(event["time"]))
                self._submit(Delivery(dict(target), message, rule.arn, time.monotonic()))
            except Exception:
                log.exception("rule %s: no input for target %s", rule.name, target.get("Id"))

    def _submit(self, delivery: Delivery) -> None:
        if not self._closed.is_set():
            try:
                self._threads.submit(self._deliver, delivery)
            except RuntimeError:
                log.debug("an event came while local AWS was stopping")

    def _deliver(self, delivery: Delivery) -> None:
        target = delivery.target
        try:
            deliver(
                target["Arn"],
                delivery.message,
                principal=PRINCIPAL,
                source_arn=delivery.rule_arn,
                settings=target,
            )
        except DeliveryError as failure:
            self._failed(delivery, failure)
        except Exception:
            log.exception("rule %s: target %s failed", delivery.rule_arn, target["Arn"])

    def _failed(self, delivery: Delivery, failure: DeliveryError) -> None:
        policy = delivery.target.get("RetryPolicy") or {}
        retries = int(policy.get("MaximumRetryAttempts", MAX_RETRIES))
        age_s = float(policy.get("MaximumEventAgeInSeconds", MAX_AGE_S))
        delay_s = min(FIRST_DELAY_S * 2**delivery.tries, LONGEST_DELAY_S)
        young = time.monotonic() - delivery.began_s + delay_s <= age_s
        if failure.retryable and delivery.tries < retries and young:
            timer = threading.Timer(delay_s, self._submit, (replace(delivery, tries=delivery.tries + 1),))
            timer.daemon = True
            timer.start()
            return
        log.warning("rule %s: not delivered to %s: %s", delivery.rule_arn, delivery.target["Arn"], failure)
        queue_arn = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
        if queue_arn:
            try:
                dead_letter(queue_arn, delivery.message, delivery.rule_arn, delivery.target["Arn"], failure)
            except DeliveryError as lost:
                log.warning("rule %s: nor to its dead-letter queue: %s", delivery.rule_arn, lost)


def matching(rules: Iterable[Any], event: Mapping[str, Any]) -> Iterable[Any]:
    """Enabled rules whose pattern the event matches; a rule with only a schedule matches nothing."""
    for rule in rules:
        pattern = rule.event_pattern.dump()
        if rule.state != "DISABLED" and pattern and compile_pattern(pattern)(event):
            yield rule


def is_deliverable(arn: str) -> bool:
    return service_of(arn) in DELIVERABLE
