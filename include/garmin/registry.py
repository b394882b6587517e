"""The one list of athletes of a deployment: `config/athletes.json`, changed without a redeploy.

`{"athletes": ["ann", {"athlete_id": "bob", "source": "garminconnect"}]}`: an athlete without a source of its own is
fetched from the deployment's (`GFF_SOURCE`).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.garmin.document import ATHLETE_ID
from include.lake import ATHLETES_KEY

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TRIES = 5
_CHANGED_MEANWHILE = ("PreconditionFailed", "ConditionalRequestConflict")


class RegistryError(Exception):
    """The list of athletes cannot be read; the message says what is wrong with it."""


@dataclass(frozen=True)
class Athlete:
    """One athlete; `source` None is the deployment's own."""

    athlete_id: str
    source: str | None = None


def read_registry(s3: "S3Client", bucket: str) -> list[Athlete]:
    """All athletes, in the order of the list; [] when there is no list yet. Raises RegistryError."""
    return _read(s3, bucket)[0]


def chosen_athletes(s3: "S3Client", bucket: str, athlete_ids: Sequence[str]) -> list[Athlete]:
    """The athletes of the list that are named, in the order of the names; all of them when none is named.

    One that is named but not listed is taken to be the deployment's own source's: the source knows whether it is.
    """
    listed = read_registry(s3, bucket)
    if not athlete_ids:
        return listed
    by_id = {athlete.athlete_id: athlete for athlete in listed}
    return [by_id.get(athlete_id, Athlete(athlete_id)) for athlete_id in athlete_ids]


def add_athletes(s3: "S3Client", bucket: str, athletes: Iterable[Athlete]) -> list[Athlete]:
    """Add athletes, or change the source of those that are there; returns the whole list. Raises RegistryError."""
    added = {athlete.athlete_id: athlete for athlete in athletes}
    return _change(s3, bucket, lambda present: {**present, **added})


def set_default_athletes(s3: "S3Client", bucket: str, athlete_ids: Iterable[str]) -> list[Athlete]:
    """Make `athlete_ids` the athletes of the deployment's own source; those with a source of their own stay.

    Raises:
        RegistryError: the list cannot be read, or kept changing.
    """
    wanted = {athlete_id: Athlete(athlete_id) for athlete_id in athlete_ids}
    return _change(s3, bucket, lambda present: wanted | {name: a for name, a in present.items() if a.source})


def _change(s3: "S3Client", bucket: str, change: Callable[[dict[str, Athlete]], dict[str, Athlete]]) -> list[Athlete]:
    """Write the changed list over the version that was read: two who change it at once do not undo each other."""
    for _ in range(TRIES):
        present, condition = _read(s3, bucket)
        changed = list(change({athlete.athlete_id: athlete for athlete in present}).values())
        if changed == present and "IfMatch" in condition:
            return present
        body = _text(changed)
        try:
            s3.put_object(Bucket=bucket, Key=ATHLETES_KEY, Body=body, ContentType="application/json", **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _CHANGED_MEANWHILE:
                raise
        else:
            return changed
    raise RegistryError(f"s3://{bucket}/{ATHLETES_KEY} kept changing while it was being changed here; try again")


def parse_registry(body: bytes) -> list[Athlete]:
    """The athletes of a list. Raises RegistryError naming the entry that is wrong."""
    try:
        value = json.loads(body)
    except ValueError as error:
        raise RegistryError(f"{ATHLETES_KEY} is not JSON: {error}") from error
    entries = value.get("athletes") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise RegistryError(f'{ATHLETES_KEY} has the form {{"athletes": ["…", …]}}')
    athletes = [_athlete(entry) for entry in entries]
    ids = [athlete.athlete_id for athlete in athletes]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise RegistryError(f"{ATHLETES_KEY} lists {', '.join(twice)} twice")
    return athletes


def _athlete(entry: object) -> Athlete:
    fields: dict[str, Any] = entry if isinstance(entry, dict) else {"athlete_id": entry}
    athlete_id, source = fields.get("athlete_id"), fields.get("source")
    if not isinstance(athlete_id, str) or not ATHLETE_ID.fullmatch(athlete_id):
        raise RegistryError(f"{ATHLETES_KEY}: {entry!r} names no athlete (letters, digits, '-' and '_', 1 to 64)")
    if source is not None and not isinstance(source, str):
        raise RegistryError(f"{ATHLETES_KEY}: the source of {athlete_id} is text, such as 'garminconnect'")
    return Athlete(athlete_id, source)


def _read(s3: "S3Client", bucket: str) -> tuple[list[Athlete], dict[str, Any]]:
    """The list, and the condition under which it may be written."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=ATHLETES_KEY)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return [], {"IfNoneMatch": "*"}
    return parse_registry(answer["Body"].read()), {"IfMatch": answer["ETag"]}


def _text(athletes: Iterable[Athlete]) -> bytes:
    entries = [
        {"athlete_id": athlete.athlete_id, "source": athlete.source} if athlete.source else athlete.athlete_id
        for athlete in athletes
    ]
    return json.dumps({"athletes": entries}, indent=1).encode()
