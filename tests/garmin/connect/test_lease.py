import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.garmin.connect.lease import LIFE_S, LeaseTaken, lease
from include.lake import garmin_lease_key

NOW = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)


class Wall:
    """Wall time that only `sleep` moves."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def wall() -> Wall:
    return Wall()


def _kept(s3: Any, bucket: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(s3.get_object(Bucket=bucket, Key=garmin_lease_key("ann"))["Body"].read())
    return found


def _take(s3: Any, bucket: str, wall: Wall, **more: Any) -> Any:
    return lease(s3, bucket, "ann", now=wall.now, sleep=wall.sleep, **more)


def test_a_lease_names_holder_and_end_and_is_given_back(s3: Any, bucket: str, wall: Wall) -> None:
    with _take(s3, bucket, wall):
        held = _kept(s3, bucket)
        assert held["holder"] and held["expires_at"] == (NOW + timedelta(seconds=LIFE_S)).isoformat()
    with _take(s3, bucket, wall):
        assert _kept(s3, bucket)["holder"] != held["holder"]
    assert wall.at == NOW


def test_it_is_given_back_after_an_error(s3: Any, bucket: str, wall: Wall) -> None:
    with pytest.raises(ValueError), _take(s3, bucket, wall):
        raise ValueError
    with _take(s3, bucket, wall):
        assert wall.at == NOW


def test_another_is_waited_for_only_so_long(s3: Any, bucket: str, wall: Wall) -> None:
    second = _take(s3, bucket, wall, longest_wait_s=60.0)
    with _take(s3, bucket, wall), pytest.raises(LeaseTaken, match="tokens of ann for 60 s"):
        second.__enter__()


def test_the_lease_of_a_run_that_died_is_taken_over(s3: Any, bucket: str, wall: Wall) -> None:
    dead = _take(s3, bucket, wall)
    dead.__enter__()
    with _take(s3, bucket, wall):
        assert wall.at >= NOW + timedelta(seconds=LIFE_S)
        mine = _kept(s3, bucket)
        dead.__exit__(None, None, None)  # it was not dead after all: it must not give back what is mine
        assert _kept(s3, bucket) == mine


def test_of_two_who_find_an_expired_lease_one_gets_it(
    s3: Any, bucket: str, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _take(s3, bucket, wall):
        pass
    put, takers = s3.put_object, []

    def put_after_another(**asked: Any) -> Any:
        monkeypatch.setattr(s3, "put_object", put)
        other = _take(s3, bucket, wall)
        other.__enter__()
        takers.append(other)
        return put(**asked)

    monkeypatch.setattr(s3, "put_object", put_after_another)
    with pytest.raises(LeaseTaken), _take(s3, bucket, wall, longest_wait_s=10.0):
        pass
    assert len(takers) == 1


def test_what_is_no_lease_holds_nobody_off(s3: Any, bucket: str, wall: Wall) -> None:
    s3.put_object(Bucket=bucket, Key=garmin_lease_key("ann"), Body=b"?")
    with _take(s3, bucket, wall):
        assert wall.at == NOW


def test_athletes_do_not_wait_for_each_other(s3: Any, bucket: str, wall: Wall) -> None:
    with _take(s3, bucket, wall), lease(s3, bucket, "bob", now=wall.now, sleep=wall.sleep):
        assert wall.at == NOW
