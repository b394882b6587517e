"""What the API knows of its deployment: names from the environment, settings from SSM, documents from S3."""

import json
import os
from typing import Any

from botocore.exceptions import ClientError

from include.serving.cache import AgedCache
from include.serving.clients import client

SETTINGS_AGE_S = 60
SERVING_AGE_S = 5
"""A new model is seen this soon."""
RELOAD_AGE_S = 5
"""An athlete or key that is not known may be newer than what we know: asked again when that is older."""

cache = AgedCache()


def name(variable: str) -> str:
    """A name that the serving stack gives: PROJECT, BUCKET, FEATURE_GROUP, ENDPOINT."""
    return os.environ[variable]


def athletes_by_key(max_age_s: float = SETTINGS_AGE_S) -> dict[str, list[str]]:
    """Which athletes each API key reads, by the key's id; `["*"]` for all."""
    found = cache.get("api-keys", lambda: _parameter("api-keys"), max_age_s)
    return dict(found or {})


def serving(max_age_s: float = SERVING_AGE_S) -> dict[str, str] | None:
    """What the endpoint serves (`model_package_arn`, `model_version`, `dataset_version`, `approved_at`), or None."""
    found: dict[str, str] | None = cache.get("serving", lambda: _parameter("serving"), max_age_s)
    return found


def athletes(max_age_s: float = SETTINGS_AGE_S) -> list[str]:
    """Every athlete of the deployment."""
    document = cache.get("athletes", lambda: document_of("config/athletes.json"), max_age_s)
    entries = (document or {}).get("athletes", [])
    return [entry["athlete_id"] if isinstance(entry, dict) else entry for entry in entries]


def document_of(key: str) -> Any:
    """A JSON document of the bucket, or None where there is none."""
    try:
        return json.loads(client("s3").get_object(Bucket=name("BUCKET"), Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise


def _parameter(suffix: str) -> Any:
    try:
        found = client("ssm").get_parameter(Name=f"/{name('PROJECT')}/{suffix}")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return None
        raise
    return json.loads(found["Parameter"]["Value"])
