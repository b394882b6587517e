"""Log lines on their way to CloudWatch, off the path of an invocation."""

import logging
import queue
import threading
import time
from collections.abc import Sequence

log = logging.getLogger("localaws.lambda")


class LogWriter:
    """Writes in order, by one thread; `close` waits until all is written."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[str, str, Sequence[str], int] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def write(self, group: str, stream: str, lines: Sequence[str]) -> None:
        if self._thread is None:
            self._begin()
        self._queue.put((group, stream, lines, int(time.time() * 1000)))

    def close(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(5)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="lambda-logs")
                self._thread.start()

    def _run(self) -> None:
        from infra.localaws import logs

        while (item := self._queue.get()) is not None:
            group, stream, lines, at_ms = item
            try:
                logs.write(group, stream, lines, at_ms)
            except Exception:
                log.exception("log lines of %s were not written", group)
