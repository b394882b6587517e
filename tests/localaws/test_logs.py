"""Log lines that services of this process write are read through the CloudWatch API."""

import time

import pytest

moto_logs = pytest.importorskip("moto.logs.models")

from infra.localaws import logs  # noqa: E402


def events(group, stream):
    backend = moto_logs.logs_backends["123456789012"]["us-east-1"]
    return backend.groups[group].streams[stream].events


def test_lines_become_events_in_order():
    logs.write("/g", "s/1", ["one\n", "two"], at_ms=1_700_000_000_000)
    logs.write("/g", "s/1", ["three"])
    found = events("/g", "s/1")
    assert [event.message for event in found] == ["one", "two", "three"]
    assert found[0].timestamp == 1_700_000_000_000
    assert abs(found[2].timestamp - time.time() * 1000) < 5000


def test_nothing_makes_nothing():
    logs.write("/empty", "s", [])
    assert "/empty" not in moto_logs.logs_backends["123456789012"]["us-east-1"].groups


def test_long_lines_are_cut_and_long_streams_lose_their_oldest():
    logs.write("/g", "long", ["é" * 300_000])
    assert len(events("/g", "long")[0].message.encode()) <= logs.MAX_MESSAGE_BYTES
    logs.write("/g", "many", [str(n) for n in range(logs.MAX_EVENTS_A_STREAM + 5)])
    assert len(events("/g", "many")) == logs.MAX_EVENTS_A_STREAM
    assert events("/g", "many")[0].message == "5"
