"""Warm workers of one function, started as they are needed and reused."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from infra.localaws.lambdas.worker import Exchange, Worker

log = logging.getLogger("localaws.lambda")

MAX_WORKERS = 4
QUEUE_LIMIT_S = 300.0
"""How long an invocation waits for a worker; AWS would start another one instead."""


class PoolClosedError(Exception):
    """The function was changed or deleted while the invocation waited."""


class QueueTimeoutError(Exception):
    """No worker became free in time."""


class InitError(Exception):
    """The handler could not be imported; `exchange` holds the error and the log, `worker` its stream's name."""

    def __init__(self, exchange: Exchange, worker: Worker) -> None:
        super().__init__()
        self.exchange = exchange
        self.worker = worker


class Pool:
    """At most `MAX_WORKERS` workers made by `start`. A new one starts in the background while the caller waits for
    whichever is free first: a burst never waits for a cold start when a warm worker is about to be free."""

    def __init__(self, start: Callable[[], Worker]) -> None:
        self._start = start
        self._changed = threading.Condition()
        self._idle: list[Worker] = []
        self._workers: set[Worker] = set()
        self._failures: deque[InitError | OSError] = deque()
        self._starting = 0
        self._waiting = 0
        self._closed = False
        self._made_at = time.monotonic()

    @property
    def age_s(self) -> float:
        """Seconds since the pool was made."""
        return time.monotonic() - self._made_at

    @property
    def busy(self) -> int:
        with self._changed:
            return len(self._workers) - len(self._idle)

    def acquire(self) -> Worker:
        """A worker for the caller alone; give it back by `release`. Raises PoolClosedError,
        QueueTimeoutError, InitError (its handler was not imported) or OSError (it did not start)."""
        deadline = time.monotonic() + QUEUE_LIMIT_S
        with self._changed:
            self._waiting += 1
            try:
                while True:
                    if self._closed:
                        raise PoolClosedError
                    if worker := self._pop_idle():
                        return worker
                    if self._failures:
                        raise self._failures.popleft()
                    if self._starting < self._waiting and len(self._workers) + self._starting < MAX_WORKERS:
                        self._starting += 1
                        threading.Thread(target=self._start_one, daemon=True, name="lambda-start").start()
                    if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                        raise QueueTimeoutError
            finally:
                self._waiting -= 1

    def release(self, worker: Worker, *, reusable: bool) -> None:
        """Give a worker back; one that is not reusable is ended."""
        with self._changed:
            keep = reusable and not self._closed
            if keep:
                self._idle.append(worker)
            else:
                self._workers.discard(worker)
            self._changed.notify()
        if not keep:
            worker.kill()

    def close(self, *, now: bool = False) -> None:
        """End idle workers at once; busy ones when they are given back, or at once too (`now`)."""
        with self._changed:
            self._closed = True
            ending = set(self._workers) if now else set(self._idle)
            self._idle.clear()
            self._workers -= ending
            self._changed.notify_all()
        for worker in ending:
            worker.kill()

    def _pop_idle(self) -> Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            self._workers.discard(worker)
            worker.kill()
        return None

    def _start_one(self) -> None:
        failure: InitError | OSError | None = None
        worker: Worker | None = None
        try:
            worker = self._start()
            exchange = worker.wait_ready()
            if exchange.function_error:
                failure = InitError(exchange, worker)
        except OSError as e:
            log.exception("a Lambda worker did not start")
            failure = e
        with self._changed:
            self._starting -= 1
            keep = failure is None and worker is not None and not self._closed
            if keep and worker is not None:
                self._workers.add(worker)
                self._idle.append(worker)
            elif failure is not None:
                self._failures.append(failure)
            self._changed.notify()
        if not keep and worker is not None:
            worker.kill()
