"""What the API knows of its deployment: names from the environment, settings from SSM, documents from S3."""

import json
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError

from include.serving.cache import AgedCache
from include.serving.clients import client
from include.serving.problem import Problem

SETTINGS_AGE_S = 60
SERVING_AGE_S = 5
"""A new model is seen this soon."""
RELOAD_AGE_S = 5
"""An athlete or key that is not known may be newer than what we know: asked again when that is older."""
ATHLETES_KEY = "config/athletes.json"
API_KEYS_KEY = "config/api-keys.json"
CONFIG_MAX_BYTES = 4 << 20
"""10 000 keys, the most that an account may have, with a few athletes each are half of this."""

cache = AgedCache()


def name(variable: str) -> str:
    """A name that the serving stack gives: PROJECT, BUCKET, FEATURE_GROUP, ENDPOINT, ACCOUNT_ID."""
    return os.environ[variable]


def athletes_by_key(max_age_s: float = SETTINGS_AGE_S) -> dict[str, list[str]]:
    """Which athletes each API key reads, by the key's id; `["*"]` for all. Without a document no key reads anybody.

    Raises:
        Problem: 500, the document is not as it should be.
    """
    found: dict[str, list[str]] = cache.get("api-keys", lambda: _config(API_KEYS_KEY, parse_api_keys), max_age_s)
    return found


def athletes(max_age_s: float = SETTINGS_AGE_S) -> list[str]:
    """Every athlete of the deployment.

    Raises:
        Problem: 500, the document is not as it should be.
    """
    found: list[str] = cache.get("athletes", lambda: _config(ATHLETES_KEY, parse_athletes), max_age_s)
    return found


def serving(max_age_s: float = SERVING_AGE_S) -> dict[str, str] | None:
    """What the endpoint serves (`model_package_arn`, `model_version`, `dataset_version`, `approved_at`), or None."""
    found: dict[str, str] | None = cache.get("serving", _serving, max_age_s)
    return found


def endpoint_name() -> str:
    """The endpoint that serves; before any does, the name that it has in the usual mode."""
    return (serving() or {}).get("endpoint_name") or name("ENDPOINT")


def parse_api_keys(document: Any) -> dict[str, list[str]]:
    """The athletes of each API key, from `{"<key id>": ["*"] | ["<athlete id>", …]}`; {} where there is no document.

    Raises:
        ValueError: the document has another form.
    """
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ValueError("it is an object with the ids of API keys")
    for key_id, athlete_ids in document.items():
        if not isinstance(athlete_ids, list) or not all(isinstance(entry, str) and entry for entry in athlete_ids):
            raise ValueError(f"key {key_id[:40]!r} has no list of athlete ids")
    return document


def parse_athletes(document: Any) -> list[str]:
    """Ids of the athletes, from the list that `include/garmin/registry.py` writes; [] where there is no document.

    Raises:
        ValueError: the document has another form.
    """
    if document is None:
        return []
    entries = document.get("athletes") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError('it has the form {"athletes": […]}')
    return [_athlete_id(entry) for entry in entries]


def _athlete_id(entry: Any) -> str:
    athlete_id = entry.get("athlete_id") if isinstance(entry, dict) else entry
    if not isinstance(athlete_id, str) or not athlete_id:
        raise ValueError(f"entry {str(entry)[:80]} names no athlete")
    return athlete_id


def document_of(key: str, max_bytes: int | None = None) -> Any:
    """A JSON document of the bucket, or None where there is none.

    Raises:
        ValueError: it is not JSON, or longer than `max_bytes`.
    """
    try:
        found = client("s3").get_object(Bucket=name("BUCKET"), Key=key, ExpectedBucketOwner=name("ACCOUNT_ID"))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    body = found["Body"].read() if max_bytes is None else found["Body"].read(max_bytes + 1)
    if max_bytes is not None and len(body) > max_bytes:
        raise ValueError(f"it is longer than {max_bytes} bytes")
    return json.loads(body)


def _config[T](key: str, parse: Callable[[Any], T]) -> T:
    """A configuration document. A broken one gives nobody any access: it is a failure, not an empty document."""
    try:
        return parse(document_of(key, CONFIG_MAX_BYTES))
    except ValueError as error:
        raise Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "The API is not configured",
            f"{key} in the bucket cannot be read; the API's log says what is wrong with it.",
        ) from error


def _serving() -> Any:
    try:
        found = client("ssm").get_parameter(Name=f"/{name('PROJECT')}/serving")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return None
        raise
    return json.loads(found["Parameter"]["Value"])
