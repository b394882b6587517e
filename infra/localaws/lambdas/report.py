"""Log lines and error documents that Lambda itself writes around a function."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime

from infra.localaws.lambdas.function import Function
from infra.localaws.lambdas.worker import Exchange

LOG_TAIL_BYTES = 4096
MAX_RESPONSE_BYTES = 6_291_556


def log_lines(
    function: Function, request_id: str, exchange: Exchange, duration_s: float, init_s: float | None
) -> list[str]:
    """The log of one invocation, line by line, as CloudWatch holds it. `init_s` for a cold start."""
    lines = [f"INIT_START Runtime Version: python:{function.runtime.removeprefix('python')}"] if init_s else []
    lines.append(f"START RequestId: {request_id} Version: {function.version}")
    lines += exchange.output.splitlines()
    lines += _ending(function, request_id, exchange)
    lines.append(f"END RequestId: {request_id}")
    duration_ms = duration_s * 1000
    used_mb = math.ceil(exchange.peak_memory_bytes / (1 << 20))
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {math.ceil(duration_ms)} ms\t"
        f"Memory Size: {function.memory_mb} MB\tMax Memory Used: {used_mb} MB\t"
    )
    if init_s:
        report += f"Init Duration: {init_s * 1000:.2f} ms\t"
    if exchange.ended == "timeout":
        report += "Status: timeout"
    elif exchange.ended:
        report += "Status: error\tError Type: Runtime.ExitError"
    lines.append(report)
    return lines


def _ending(function: Function, request_id: str, exchange: Exchange) -> Iterator[str]:
    if exchange.ended == "timeout":
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        yield f"{at}Z {request_id} {_timed_out(function)}"
    elif exchange.ended:
        yield f"RequestId: {request_id} Error: {_exit_words(exchange)}"


def _timed_out(function: Function) -> str:
    return f"Task timed out after {function.timeout_s:.2f} seconds"


def _exit_words(exchange: Exchange) -> str:
    if exchange.ended == "memory" or exchange.exit_code == -9:
        return "Runtime exited with error: signal: killed"
    if exchange.exit_code and exchange.exit_code < 0:
        return f"Runtime exited with error: signal: {-exchange.exit_code}"
    if exchange.exit_code:
        return f"Runtime exited with error: exit status {exchange.exit_code}"
    return "Runtime exited without providing a reason"


def payload(function: Function, request_id: str, exchange: Exchange) -> tuple[bytes, str | None]:
    """The answer's body and function error: the function's own, or Lambda's where there is none or it is too large."""
    if exchange.ended:
        timeout = exchange.ended == "timeout"
        words = _timed_out(function) if timeout else _exit_words(exchange)
        kind = "Sandbox.Timedout" if timeout else "Runtime.ExitError"
        document = {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {words}"}
        return json.dumps(document).encode(), "Unhandled"
    if len(exchange.payload) > MAX_RESPONSE_BYTES:
        words = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
        document = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": words}
        return json.dumps(document).encode(), "Unhandled"
    return exchange.payload, exchange.function_error


def tail(lines: list[str]) -> str:
    """The last 4 KB of the log."""
    return ("\n".join(lines) + "\n").encode()[-LOG_TAIL_BYTES:].decode("utf-8", "ignore")
