"""Runs functions: finds the record, keeps a pool for each version, invokes, writes the log."""

import json
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from infra.localaws.lambdas import report
from infra.localaws.lambdas.function import Function, read_function, refusal
from infra.localaws.lambdas.package import PackageError, Packages
from infra.localaws.lambdas.pool import InitError, Pool, PoolClosedError, QueueTimeoutError
from infra.localaws.lambdas.result import InvokeError, InvokeResult, throttled
from infra.localaws.lambdas.worker import Exchange, Worker, WorkerGoneError
from infra.localaws.lambdas.writer import LogWriter

log = logging.getLogger("localaws.lambda")

MAX_REQUEST_BYTES = 6_291_456
CREDENTIALS_LAST_S = 11 * 3600.0
"""Workers are replaced before the credentials that they were started with end."""
ATTEMPTS = 5
"""How often an invocation looks for another worker or pool where its own went away before it began."""


class RoleNotAssumable(OSError):
    """Lambda cannot take a function's role; the text says so to the caller."""


class Grants(Protocol):
    """What a function's role gives it."""

    def environment(self, function: Function) -> Mapping[str, str]:
        """The AWS variables of a worker that is about to start, with its role's credentials.

        Raises:
            RoleNotAssumable: the role is gone, or trusts Lambda no longer.
        """
        ...

    def may_log(self, function: Function, stream: str) -> bool:
        """Whether the role lets the function's lines into its log group."""
        ...


class Runner:
    """One for a local AWS. Holds all processes and threads of Lambda; nothing of it is kept over a restart."""

    def __init__(self, work_dir: Path, grants: Grants) -> None:
        self._packages = Packages(work_dir / "code")
        self._scratch = work_dir / "scratch"
        self._grants = grants
        self._lock = threading.Lock()
        self._pools: dict[str, tuple[Function, Pool]] = {}
        self._closed = False
        self.logs = LogWriter()

    def invoke(self, record: Any, payload: bytes, client_context: Any = None) -> InvokeResult:
        """Run moto's `LambdaFunction` on a JSON payload and wait for its answer. InvokeError where it is refused."""
        check_payload(payload)
        if reason := refusal(record):
            raise InvokeError("InvalidRuntimeException", reason, 502)
        function = read_function(record)
        request_id = str(uuid.uuid4())
        for _ in range(ATTEMPTS):
            pool = self._pool(function, record.code_bytes)
            reserved = record.reserved_concurrency
            if reserved is not None and pool.busy >= int(reserved):
                raise throttled()
            try:
                return self._run(function, pool, request_id, payload, client_context)
            except (PoolClosedError, WorkerGoneError):
                continue
        raise InvokeError("ServiceException", "The function's workers end before they take an invocation.", 500)

    def retire(self, arn_prefix: str) -> None:
        """End the workers of a deleted function (its ARN, or that of a version)."""
        with self._lock:
            gone = [arn for arn in self._pools if arn == arn_prefix or arn.startswith(arn_prefix + ":")]
            pools = [self._pools.pop(arn)[1] for arn in gone]
        for pool in pools:
            pool.close()

    def close(self) -> None:
        """End every worker and write what is left of the logs."""
        with self._lock:
            self._closed = True
            pools = [pool for _, pool in self._pools.values()]
            self._pools.clear()
        for pool in pools:
            pool.close(now=True)
        self.logs.close()

    def _pool(self, function: Function, code: bytes) -> Pool:
        retired: Pool | None = None
        with self._lock:
            if self._closed:
                raise InvokeError("ServiceException", "Local AWS is stopping.", 500)
            known, pool = self._pools.get(function.arn, (None, None))
            if pool is None or known != function or pool.age_s > CREDENTIALS_LAST_S:
                retired = pool
                pool = Pool(lambda: self._start(function, code))
                self._pools[function.arn] = (function, pool)
        if retired is not None:
            retired.close()
        return pool

    def _start(self, function: Function, code: bytes) -> Worker:
        try:
            folder = self._packages.unpack(code)
        except PackageError as e:
            raise OSError(str(e)) from e
        return Worker(function, folder, self._scratch, self._grants.environment(function))

    def _run(
        self, function: Function, pool: Pool, request_id: str, payload: bytes, client_context: Any
    ) -> InvokeResult:
        try:
            worker = pool.acquire()
        except InitError as failed:
            return self._answer(function, failed.worker, request_id, _named(failed.exchange, request_id), 0.0)
        except QueueTimeoutError as e:
            raise throttled() from e
        except RoleNotAssumable as e:
            raise InvokeError("AccessDeniedException", str(e), 403) from e
        except OSError as e:
            raise InvokeError("InvalidZipFileException", str(e), 502) from e
        reusable = False
        started = time.monotonic()
        try:
            head = {
                "request_id": request_id,
                "arn": function.arn,
                "deadline_ms": (time.time() + function.timeout_s) * 1000,
                "client_context": client_context,
            }
            exchange = worker.invoke(head, payload)
            reusable = exchange.ended is None
        finally:
            pool.release(worker, reusable=reusable)
        return self._answer(function, worker, request_id, exchange, time.monotonic() - started)

    def _answer(
        self, function: Function, worker: Worker, request_id: str, exchange: Exchange, duration_s: float
    ) -> InvokeResult:
        init_s, worker.init_s = worker.init_s, None
        lines = report.log_lines(function, request_id, exchange, duration_s, init_s)
        if self._grants.may_log(function, worker.stream):
            self.logs.write(function.log_group, worker.stream, lines)
        body, error = report.payload(function, request_id, exchange)
        return InvokeResult(200, body, error, report.tail(lines), function.version)


def _named(exchange: Exchange, request_id: str) -> Exchange:
    """An init error that answers this request: import errors know no request id of their own."""
    if exchange.ended:
        return exchange
    document = json.loads(exchange.payload) | {"requestId": request_id}
    return Exchange(json.dumps(document).encode(), "Unhandled", exchange.output, exchange.peak_memory_bytes)


def check_payload(payload: bytes, limit_bytes: int = MAX_REQUEST_BYTES) -> None:
    """InvokeError where a payload is too large or not JSON."""
    if len(payload) > limit_bytes:
        words = f"Request must be smaller than {limit_bytes} bytes for the InvokeFunction operation"
        raise InvokeError("RequestTooLargeException", words, 413)
    if payload:
        try:
            json.loads(payload)
        except ValueError as e:
            words = f"Could not parse request body into json: {e}"
            raise InvokeError("InvalidRequestContentException", words, 400) from e
