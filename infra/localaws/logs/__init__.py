"""CloudWatch Logs: the control plane is moto's; jobs, endpoints and Lambdas write their lines through `write`."""

import threading
import time
from collections.abc import Sequence

from infra.localaws.world import ACCOUNT_ID, World

MAX_EVENTS_A_STREAM = 10_000
"""Older events of a stream are dropped: a laptop is no archive."""
MAX_MESSAGE_BYTES = 256 * 1024 - 26
"""AWS's own limit on one event."""

_lock = threading.Lock()
_world: World | None = None


def install(world: World) -> None:
    """Remember where lines go."""
    global _world  # noqa: PLW0603 - one server a process, as in moto
    _world = world


def write(group: str, stream: str, lines: Sequence[str], at_ms: int | None = None) -> None:
    """Append one event a line; group and stream are made where they are missing.

    Args:
        at_ms: the time of all lines, milliseconds since the epoch; now when not given.

    Lines reach disk within seconds (they are not worth a snapshot each).
    """
    if not lines:
        return
    from moto.logs.models import logs_backends

    region = _world.config.region if _world else "us-east-1"
    now_ms = int(time.time() * 1000) if at_ms is None else at_ms
    events = [{"timestamp": now_ms, "message": _clipped(line)} for line in lines]
    with _lock:
        backend = logs_backends[ACCOUNT_ID][region]
        backend.ensure_log_group(group)
        log_group = backend.groups[group]
        if stream not in log_group.streams:
            log_group.create_log_stream(stream)
        log_stream = log_group.streams[stream]
        log_stream.put_log_events(events)
        if len(log_stream.events) > MAX_EVENTS_A_STREAM:
            log_stream.events = log_stream.events[-MAX_EVENTS_A_STREAM:]
    if _world:
        _world.mark_changed(soon=False)


def _clipped(line: str) -> str:
    line = line.rstrip("\r\n")
    if len(line) * 4 <= MAX_MESSAGE_BYTES:
        return line
    return line.encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")
