"""Event invocations: accepted at once, run later, tried again, failures sent to their destination."""

import json
import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from infra.localaws.lambdas import dead_letters
from infra.localaws.lambdas.result import InvokeError, InvokeResult

log = logging.getLogger("localaws.lambda")

RETRY_DELAYS_S = (1.0, 2.0)
"""Between the tries of a failed event. AWS waits one and two minutes; a laptop's user does not."""
MAX_EVENT_BYTES = 1_048_576


@dataclass(frozen=True)
class Attempt:
    """One try of an event."""

    record: Any
    payload: bytes
    number: int = 1
    request_id: str = ""


class Asynchronous:
    """A queue in memory: events that wait when local AWS ends are lost."""

    def __init__(self, run: Callable[[Any, bytes], InvokeResult], may_send: Callable[[Any, str], bool]) -> None:
        """
        Args:
            run: invokes a function's record with a payload.
            may_send: whether a function's role may put messages on the queue of an ARN.
        """
        self._run = run
        self._may_send = may_send
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="lambda-event")
        self._closed = threading.Event()

    def submit(self, record: Any, payload: bytes) -> None:
        """Take an event; it runs soon, in no order."""
        self._submit(Attempt(record, payload, request_id=str(uuid.uuid4())))

    def close(self) -> None:
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _submit(self, attempt: Attempt) -> None:
        if not self._closed.is_set():
            try:
                self._threads.submit(self._attempt, attempt)
            except RuntimeError:
                log.debug("an event came while local AWS was stopping")

    def _attempt(self, attempt: Attempt) -> None:
        try:
            try:
                result = self._run(attempt.record, attempt.payload)
            except InvokeError as e:
                document = {"errorType": e.code, "errorMessage": e.message}
                result = InvokeResult(e.status, json.dumps(document).encode(), "Unhandled")
            if result.function_error is None:
                self._finish(attempt, result, "OnSuccess")
            elif attempt.number <= _retries(attempt.record):
                self._again(attempt)
            else:
                self._finish(attempt, result, "OnFailure")
        except Exception:
            log.exception("an event of %s was lost", attempt.record.function_name)

    def _again(self, attempt: Attempt) -> None:
        delay_s = RETRY_DELAYS_S[min(attempt.number, len(RETRY_DELAYS_S)) - 1]
        following = Attempt(attempt.record, attempt.payload, attempt.number + 1, attempt.request_id)
        timer = threading.Timer(delay_s, self._submit, (following,))
        timer.daemon = True
        timer.start()

    def _finish(self, attempt: Attempt, result: InvokeResult, outcome: str) -> None:
        destination = _configured(attempt.record).get("DestinationConfig", {}).get(outcome, {}).get("Destination")
        if outcome == "OnFailure":
            log.warning("event of %s failed for good: %s", attempt.record.function_name, result.payload[:500])
            self._bury(attempt, result)
        if destination:
            from infra.localaws.events.targets import deliver

            deliver(destination, json.dumps(_invocation_record(attempt, result, outcome)))

    def _bury(self, attempt: Attempt, result: InvokeResult) -> None:
        """Put an event that failed for good on its function's dead letter queue; without the right it is lost."""
        from infra.localaws.events.targets import DeliveryError, send_to_queue

        queue_arn = dead_letters.queue_of({"DeadLetterConfig": attempt.record.dead_letter_config})
        if not queue_arn:
            return
        if not self._may_send(attempt.record, queue_arn):
            log.warning("%s: %s", attempt.record.function_name, dead_letters.MAY_NOT_SEND)
            return
        body = attempt.payload.decode() or "{}"
        try:
            send_to_queue(queue_arn, body, {}, dead_letters.attributes(attempt.request_id, result))
        except DeliveryError as error:
            log.warning("the dead letter of %s was not taken: %s", attempt.record.function_name, error)


def _configured(record: Any) -> dict[str, Any]:
    return dict(record.event_invoke_config[-1].config) if record.event_invoke_config else {}


def _retries(record: Any) -> int:
    return int(_configured(record).get("MaximumRetryAttempts", len(RETRY_DELAYS_S)))


def _invocation_record(attempt: Attempt, result: InvokeResult, outcome: str) -> dict[str, Any]:
    """What AWS sends to a destination."""
    condition = "Success" if outcome == "OnSuccess" else "RetriesExhausted"
    response_context: dict[str, Any] = {"statusCode": 200, "executedVersion": result.version}
    if result.function_error:
        response_context["functionError"] = result.function_error
    return {
        "version": "1.0",
        "requestContext": {
            "requestId": attempt.request_id,
            "functionArn": f"{attempt.record.function_arn}:{result.version}",
            "condition": condition,
            "approximateInvokeCount": attempt.number,
        },
        "requestPayload": json.loads(attempt.payload or b"{}"),
        "responseContext": response_context,
        "responsePayload": json.loads(result.payload or b"null"),
    }
