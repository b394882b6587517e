import json
from typing import Any

import pytest

from include.garmin.registry import (
    Athlete,
    RegistryError,
    add_athletes,
    chosen_athletes,
    parse_registry,
    read_registry,
    set_default_athletes,
)
from include.lake import ATHLETES_KEY


def test_a_deployment_begins_without_athletes(s3: Any, bucket: str) -> None:
    assert read_registry(s3, bucket) == []


def test_athletes_are_added_and_their_source_changed(s3: Any, bucket: str) -> None:
    add_athletes(s3, bucket, [Athlete("ann"), Athlete("bob", "garminconnect")])
    add_athletes(s3, bucket, [Athlete("cleo"), Athlete("ann", "garminexport")])
    assert read_registry(s3, bucket) == [
        Athlete("ann", "garminexport"),
        Athlete("bob", "garminconnect"),
        Athlete("cleo"),
    ]


def test_the_deployments_own_athletes_are_replaced_and_others_stay(s3: Any, bucket: str) -> None:
    add_athletes(s3, bucket, [Athlete("ann"), Athlete("me", "garminconnect")])
    assert set_default_athletes(s3, bucket, ["bob"]) == [Athlete("bob"), Athlete("me", "garminconnect")]


def test_two_who_add_at_once_do_not_undo_each_other(s3: Any, bucket: str) -> None:
    add_athletes(s3, bucket, [Athlete("ann")])
    put, meanwhile = s3.put_object, iter([lambda: add_athletes(s3, bucket, [Athlete("bob")])])

    class Slow:
        """Somebody else adds an athlete between this one's reading and writing."""

        def __getattr__(self, name: str) -> Any:
            return getattr(s3, name)

        def put_object(self, **arguments: Any) -> Any:
            next(meanwhile, lambda: None)()
            return put(**arguments)

    add_athletes(Slow(), bucket, [Athlete("cleo")])
    assert [athlete.athlete_id for athlete in read_registry(s3, bucket)] == ["ann", "bob", "cleo"]


def test_named_athletes_are_chosen_with_their_sources(s3: Any, bucket: str) -> None:
    add_athletes(s3, bucket, [Athlete("ann"), Athlete("bob", "garminconnect")])
    assert chosen_athletes(s3, bucket, []) == [Athlete("ann"), Athlete("bob", "garminconnect")]
    assert chosen_athletes(s3, bucket, ["bob", "dan"]) == [Athlete("bob", "garminconnect"), Athlete("dan")]


def test_the_list_by_hand_takes_plain_ids_and_objects(s3: Any, bucket: str) -> None:
    body = {"athletes": ["ann", {"athlete_id": "bob", "source": "garminconnect"}]}
    s3.put_object(Bucket=bucket, Key=ATHLETES_KEY, Body=json.dumps(body).encode())
    assert read_registry(s3, bucket) == [Athlete("ann"), Athlete("bob", "garminconnect")]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{oops", "not JSON"),
        (b"[]", "has the form"),
        (b'{"athletes": "ann"}', "has the form"),
        (b'{"athletes": ["../etc"]}', "names no athlete"),
        (b'{"athletes": [7]}', "names no athlete"),
        (b'{"athletes": [{"source": "garminconnect"}]}', "names no athlete"),
        (b'{"athletes": [{"athlete_id": "ann", "source": 3}]}', "source of ann"),
        (b'{"athletes": ["ann", "ann"]}', "lists ann twice"),
    ],
)
def test_what_is_wrong_with_the_list_is_told(body: bytes, told: str) -> None:
    with pytest.raises(RegistryError, match=told):
        parse_registry(body)
