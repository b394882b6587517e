"""Garmin tokens in Secrets Manager: one secret an athlete, `{project}/garmin/{athlete_id}`. Never a password."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from include.garmin.document import ATHLETE_ID, LoginNeeded, SourceError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import TagTypeDef

CLIENTS = ("garminconnect", "garminexport")
CLIENT_TAG = "garmin-client"
"""Tells whose tokens a secret holds, without reading it."""


@dataclass(frozen=True)
class Tokens:
    """The token files of one athlete as the client keeps them on a disk; their content is in no repr."""

    client: Literal["garminconnect", "garminexport"]
    files: Mapping[str, str] = field(repr=False)
    """JSON text by file name, e.g. `garmin_tokens.json`."""
    stored_at: datetime
    good_until: datetime | None
    """When the last of the tokens ends and a login is needed; None when the tokens do not say."""


def login_command(athlete_id: str) -> str:
    """The command that stores new tokens."""
    return f"make garmin-login ATHLETE={athlete_id}"


def secret_name(project: str, athlete_id: str) -> str:
    """Name of an athlete's secret. Raises SourceError for an id that cannot be part of a name."""
    if not ATHLETE_ID.fullmatch(athlete_id):
        raise SourceError(f"athlete id {athlete_id!r}: letters, digits, '-' and '_' (1 to 64)")
    return f"{project}/garmin/{athlete_id}"


class TokenStore:
    """The tokens of a project's athletes."""

    def __init__(self, secretsmanager: "SecretsManagerClient", project: str) -> None:
        self._secrets = secretsmanager
        self._project = project

    def athletes(self, client: str) -> list[str]:
        """Ids of the athletes that have tokens for `client` (one of CLIENTS), sorted. No secret is read."""
        prefix = f"{self._project}/garmin/"
        pages = self._secrets.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [prefix]}])
        found = (
            secret["Name"].removeprefix(prefix)
            for page in pages
            for secret in page["SecretList"]
            if secret["Name"].startswith(prefix)
            and any(tag.get("Key") == CLIENT_TAG and tag.get("Value") == client for tag in secret.get("Tags", []))
        )
        return sorted(filter(ATHLETE_ID.fullmatch, found))

    def load(self, athlete_id: str) -> Tokens:
        """The tokens stored last.

        Raises:
            LoginNeeded: there are none, or what is stored are no tokens.
        """
        name = secret_name(self._project, athlete_id)
        value = self._value(name)
        if value is None:
            raise LoginNeeded(f"no Garmin tokens of {athlete_id}: run `{login_command(athlete_id)}`")
        tokens = _parse(value["SecretString"]) if "SecretString" in value else None
        if tokens is None:
            raise LoginNeeded(f"secret {name} holds no Garmin tokens: run `{login_command(athlete_id)}`")
        return tokens

    def store(self, athlete_id: str, tokens: Tokens) -> None:
        """Write `tokens` and read them back: when this returns they are the ones that `load` gives.

        Raises:
            SourceError: they were not confirmed; the old ones may be worth nothing any more.
        """
        name, text = secret_name(self._project, athlete_id), _text(tokens)
        tag: TagTypeDef = {"Key": CLIENT_TAG, "Value": tokens.client}
        before = self._value(name)
        if before is None:
            self._secrets.create_secret(
                Name=name, SecretString=text, Description="Garmin Connect tokens, no password", Tags=[tag]
            )
        else:
            self._secrets.put_secret_value(SecretId=name, SecretString=text)
            known = _parse(before.get("SecretString", ""))
            if known is None or known.client != tokens.client:
                self._secrets.tag_resource(SecretId=name, Tags=[tag])
        confirmed = self._value(name)
        if confirmed is None or confirmed.get("SecretString") != text:
            raise SourceError(f"secret {name} did not take the new tokens: run `{login_command(athlete_id)}`")

    def _value(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self._secrets.get_secret_value(SecretId=name))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None


def _text(tokens: Tokens) -> str:
    return json.dumps({
        "client": tokens.client,
        "files": dict(tokens.files),
        "stored_at": tokens.stored_at.isoformat(),
        "good_until": tokens.good_until and tokens.good_until.isoformat(),
    })  # fmt: skip


def _parse(text: str) -> Tokens | None:
    try:
        value = json.loads(text)
        client, files, good_until = value["client"], value["files"], value["good_until"]
        if client not in CLIENTS or not all(isinstance(part, str) for item in files.items() for part in item):
            return None
        return Tokens(
            client,
            dict(files),
            datetime.fromisoformat(value["stored_at"]),
            datetime.fromisoformat(good_until) if good_until else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
