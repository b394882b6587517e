"""One warm worker: a process that holds a function's handler and answers one invocation at a time."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped, unused-ignore]

from infra.localaws.lambdas.bootstrap import FRAME
from infra.localaws.lambdas.function import Function

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
INIT_LIMIT_S = 10.0
MEMORY_WATCH_S = 0.02
MAX_LOG_BYTES = 8 << 20
"""What one invocation may print before the rest is dropped; keeps a runaway loop from filling local AWS."""


@dataclass(frozen=True)
class Exchange:
    """What came back from a worker. `ended` says why there is no answer: timeout, memory, exit."""

    payload: bytes
    function_error: str | None
    output: str
    peak_memory_bytes: int
    ended: str | None = None
    exit_code: int | None = None


class WorkerGoneError(Exception):
    """The process had ended before it took the invocation: another worker can take it."""


def environment(function: Function, aws: Mapping[str, str], code: Path, scratch: Path, stream: str) -> dict[str, str]:
    """The whole environment of a worker: Lambda's variables, those of AWS's SDK and the function's own."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "PYTHONUTF8": "1",
        "TZ": "UTC",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        **dict(function.environment),
        **aws,
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": str(code),
        "LAMBDA_RUNTIME_DIR": str(BOOTSTRAP.parent),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
    }


class Worker:
    """Starts the process; `wait_ready` before the first `invoke`, `kill` at the end. Used by one thread at a time."""

    def __init__(self, function: Function, code: Path, scratch_root: Path, aws: Mapping[str, str]) -> None:
        self.function = function
        self.stream = f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
        self.init_s: float | None = None
        self._started = time.monotonic()
        scratch_root.mkdir(parents=True, exist_ok=True)
        self._scratch = Path(tempfile.mkdtemp(dir=scratch_root, prefix="worker-"))
        self._control, theirs = socket.socketpair()
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(BOOTSTRAP), str(theirs.fileno())],
                env=environment(function, aws, code, self._scratch, self.stream),
                cwd=code,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(output)
        self._memory = psutil.Process(self._process.pid)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self) -> Exchange:
        """Wait for the handler to be imported; an Exchange with an error where it was not."""
        exchange = self._exchange(INIT_LIMIT_S + self.function.timeout_s)
        self.init_s = time.monotonic() - self._started
        return exchange

    def invoke(self, head: Mapping[str, Any], payload: bytes) -> Exchange:
        """One invocation; ends the process on timeout or too much memory. WorkerGoneError where it was dead already."""
        encoded = json.dumps(head).encode()
        deadline = time.monotonic() + self.function.timeout_s
        try:
            self._control.settimeout(self.function.timeout_s)
            self._control.sendall(FRAME.pack(len(encoded), len(payload)) + encoded + payload)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise WorkerGoneError from e
        return self._exchange(deadline - time.monotonic())

    def kill(self) -> None:
        """End the process and all that it started; safe to call again."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._control.close()
        with contextlib.suppress(OSError):
            os.close(self._output)
        self._output = -1
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _exchange(self, limit_s: float) -> Exchange:
        """Collect output and the answer's frame until the answer is whole, time is up, memory too much or it ended."""
        reading = _Reading(self._output)
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._output, select.POLLIN)
        deadline = time.monotonic() + limit_s
        memory_limit = self.function.memory_mb << 20
        watched = time.monotonic()
        while True:
            now = time.monotonic()
            left = deadline - now
            if left <= 0:
                return self._end(reading, "timeout")
            ready = dict(poller.poll(min(left, MEMORY_WATCH_S) * 1000))
            if self._output in ready and not reading.drain():
                poller.unregister(self._output)
            if self._control.fileno() in ready:
                if not reading.take(self._control):
                    return self._end(reading, "exit")
                if reading.complete:
                    break
            if now - watched >= MEMORY_WATCH_S:
                watched = now
                if self._resident_bytes() > memory_limit:
                    return self._end(reading, "memory")
        reading.drain()
        head, payload = reading.frame()
        peak = int(head.get("peak_memory_bytes", 0))
        if peak > memory_limit:
            return self._end(reading, "memory")
        error = head.get("error") if head.get("ready", True) else "Unhandled"
        return Exchange(payload, error, reading.output(), peak)

    def _resident_bytes(self) -> int:
        with contextlib.suppress(psutil.Error):
            return int(self._memory.memory_info().rss)
        return 0

    def _end(self, reading: "_Reading", reason: str) -> Exchange:
        peak = self._resident_bytes()
        if reason == "exit":
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
        code = self._process.poll()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        reading.drain()
        return Exchange(b"", "Unhandled", reading.output(), peak, ended=reason, exit_code=code)


class _Reading:
    """Bytes of one exchange as they come in."""

    def __init__(self, output: int) -> None:
        self._output_fd = output
        self._output = bytearray()
        self._frame = bytearray()
        self._size: int | None = None

    @property
    def complete(self) -> bool:
        return self._size is not None and len(self._frame) >= self._size

    def drain(self) -> bool:
        """Read what was printed so far; False once the other end is closed."""
        with contextlib.suppress(BlockingIOError):
            while True:
                part = os.read(self._output_fd, 1 << 16)
                if not part:
                    return False
                if len(self._output) < MAX_LOG_BYTES:
                    self._output += part
        return True

    def take(self, control: socket.socket) -> bool:
        """Read what came on the control socket; False where the process closed it."""
        try:
            part = control.recv(1 << 20)
        except ConnectionError:
            return False
        self._frame += part
        if self._size is None and len(self._frame) >= FRAME.size:
            self._size = FRAME.size + sum(FRAME.unpack_from(self._frame))
        return bool(part)

    def frame(self) -> tuple[dict[str, Any], bytes]:
        head_size, _ = FRAME.unpack_from(self._frame)
        start = FRAME.size + head_size
        return json.loads(self._frame[FRAME.size : start]), bytes(self._frame[start:])

    def output(self) -> str:
        return self._output.decode("utf-8", "replace")
