"""The Python runtime of a Lambda worker: loads the handler once, then answers one invocation after another.

Run as `python -P bootstrap.py CONTROL_FD` with the environment that Lambda gives. Standard library alone: it runs
before, and beside, whatever the function's zip brings. Frames on the control socket are two big-endian lengths, a JSON
head and the payload; what the function prints goes to its standard output and error, which are its log.
"""

import contextlib
import importlib
import json
import logging
import os
import resource
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FRAME = struct.Struct(">II")
Handler = Callable[[Any, Any], Any]


@dataclass
class Context:
    """The second argument of a handler, as AWS documents it."""

    aws_request_id: str
    invoked_function_arn: str
    deadline_ms: float
    client_context: Any = None
    identity: Any = None

    def __post_init__(self) -> None:
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self.deadline_ms - time.time() * 1000))

    def log(self, message: str) -> None:
        sys.stdout.write(str(message))


class HandlerError(Exception):
    """A fault that Lambda's own runtime reports under its own name (`Runtime.HandlerNotFound`)."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class RequestIdFormatter(logging.Formatter):
    """AWS's log line: level, UTC time, request id, message, parted by tabs."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        text = f"[{record.levelname}]\t{at}.{int(record.msecs):03d}Z\t{Current.request_id}\t{record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


class Current:
    """The invocation in hand."""

    request_id = ""


def load_handler(name: str) -> Handler:
    """Import `module.function`; HandlerError as Lambda words it where that fails."""
    module_name, dot, function = name.rpartition(".")
    if not dot:
        raise HandlerError(
            "Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as e:
        raise HandlerError("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {e}") from e
    except SyntaxError as e:
        raise HandlerError("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {e}") from e
    handler = getattr(module, function, None)
    if not callable(handler):
        raise HandlerError("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'")
    return handler  # type: ignore[no-any-return]


def error_document(error: BaseException, request_id: str) -> dict[str, Any]:
    """What a caller gets when the handler raised."""
    if isinstance(error, HandlerError):
        return {
            "errorMessage": str(error),
            "errorType": error.error_type,
            "requestId": request_id,
            "stackTrace": [],
        }
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(frames),
    }


def log_error(document: dict[str, Any]) -> None:
    sys.stdout.write(f"[ERROR] {document['errorType']}: {document['errorMessage']}\n")
    if document["stackTrace"]:
        sys.stdout.write("Traceback (most recent call last):\n" + "".join(document["stackTrace"]))


def answer(handler: Handler, head: dict[str, Any], payload: bytes) -> tuple[str | None, bytes]:
    """Call the handler; (None, result) or ("Unhandled", error document), both as JSON."""
    request_id = str(head["request_id"])
    Current.request_id = request_id
    try:
        event = json.loads(payload) if payload else {}
        context = Context(request_id, head["arn"], head["deadline_ms"], head.get("client_context"))
        result = handler(event, context)
        try:
            return None, json.dumps(result, ensure_ascii=False).encode("utf-8", "surrogatepass")
        except (TypeError, ValueError) as e:
            raise HandlerError("Runtime.MarshalError", f"Unable to marshal response: {e}") from e
    except Exception as e:
        document = error_document(e, request_id)
        log_error(document)
        return "Unhandled", json.dumps(document).encode()


def peak_memory_bytes() -> int:
    """The most resident memory this process ever had, in bytes."""
    with contextlib.suppress(OSError), Path("/proc/self/status").open("rb") as status:
        for line in status:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def receive(control: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = control.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def send(control: socket.socket, head: dict[str, Any], payload: bytes = b"") -> None:
    encoded = json.dumps(head).encode()
    control.sendall(FRAME.pack(len(encoded), len(payload)) + encoded + payload)


def leave_with_parent(parent: int) -> None:
    """Never outlive local AWS, not even when it was killed in the middle of a handler that does not return."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def prepare() -> None:
    """Log lines and limits as in Lambda."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    to_stdout = logging.StreamHandler(sys.stdout)
    to_stdout.setFormatter(RequestIdFormatter())
    logging.getLogger().addHandler(to_stdout)
    logging.getLogger().setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "WARNING").replace("TRACE", "DEBUG"))


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    threading.Thread(target=leave_with_parent, args=(os.getppid(),), daemon=True).start()
    prepare()
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as e:
        document = error_document(e, "")
        log_error(document)
        sys.stdout.flush()
        send(control, {"ready": False}, json.dumps(document).encode())
        return
    send(control, {"ready": True})
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            head_size, payload_size = FRAME.unpack(receive(control, FRAME.size))
            head = json.loads(receive(control, head_size))
            error, result = answer(handler, head, receive(control, payload_size))
            sys.stdout.flush()
            sys.stderr.flush()
            send(control, {"error": error, "peak_memory_bytes": peak_memory_bytes()}, result)


if __name__ == "__main__":
    main()
