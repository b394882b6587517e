"""Garmin tokens and keys in Parameter Store: one encrypted parameter an athlete, `/{project}/garmin/{athlete_id}`.

Never a password. The key is AWS's own for Parameter Store (`alias/aws/ssm`), so a parameter costs nothing.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from include.garmin.document import ATHLETE_ID, LoginNeeded, SourceError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import ParameterTypeDef

Client = Literal["garminconnect", "garminexport", "personalapi"]
CLIENTS: tuple[Client, ...] = ("garminconnect", "garminexport", "personalapi")
MAX_VALUE_BYTES = 8192
"""An advanced parameter holds no more. Tokens of either client take 2 to 4 KB."""
CONFIRM_TRIES = 5
CONFIRM_PAUSE_S = 0.5


@dataclass(frozen=True)
class Tokens:
    """The token files of one athlete as the client keeps them on a disk, or the key; their content is in no repr."""

    client: Client
    files: Mapping[str, str] = field(repr=False)
    """JSON text by file name, e.g. `garmin_tokens.json`."""
    stored_at: datetime
    good_until: datetime | None
    """When the last of the tokens ends and a login is needed; None when the tokens do not say."""


GARMIN_CHINA = "garmin.cn"
NOT_FOR_CHINA = (
    f"are of Garmin China ({GARMIN_CHINA}), whose accounts garmin.com does not know, so no sign-in there helps: "
    "load the account export instead (SOURCE=export:PATH.zip)"
)
"""What to say of tokens for which `are_of_garmin_china`."""


def are_of_garmin_china(files: Mapping[str, str]) -> bool:
    """Whether token files belong to an account of garmin.cn.

    garth writes the domain beside its oauth1 token; in garminconnect's the issuer stands in the access token, a JWT.
    """
    return any(_names_china(value) for text in files.values() for value in _origins(text))


def login_command(athlete_id: str) -> str:
    """The command that stores new tokens."""
    return f"make garmin-login ATHLETE={athlete_id}"


def key_command(athlete_id: str) -> str:
    """The command that stores a new key of Garmin's Personal API."""
    return f"make garmin-key ATHLETE={athlete_id}"


def require_athlete_id(athlete_id: str) -> None:
    """Raise SourceError for an id that cannot be part of a name."""
    if not ATHLETE_ID.fullmatch(athlete_id):
        raise SourceError(f"athlete id {athlete_id!r}: letters, digits, '-' and '_' (1 to 64)")


def parameter_name(project: str, athlete_id: str) -> str:
    """Name of an athlete's parameter. Raises SourceError for an id that cannot be part of a name."""
    require_athlete_id(athlete_id)
    return f"{_folder(project)}/{athlete_id}"


class TokenStore:
    """The tokens of a project's athletes."""

    def __init__(self, ssm: "SSMClient", project: str, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self._ssm = ssm
        self._project = project
        self._sleep = sleep

    def athletes(self, client: str) -> list[str]:
        """Ids of the athletes that have tokens for `client` (one of CLIENTS), sorted."""
        folder = _folder(self._project)
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=folder, WithDecryption=True)
        found = {p["Name"].removeprefix(f"{folder}/"): _parse(p["Value"]) for page in pages for p in page["Parameters"]}
        return sorted(
            athlete_id
            for athlete_id, tokens in found.items()
            if ATHLETE_ID.fullmatch(athlete_id) and tokens is not None and tokens.client == client
        )

    def load(self, athlete_id: str) -> Tokens:
        """The tokens stored last.

        Raises:
            LoginNeeded: there are none, or what is stored are no tokens.
        """
        name = parameter_name(self._project, athlete_id)
        stored = self._stored(name)
        if stored is None:
            raise LoginNeeded(f"no Garmin tokens of {athlete_id}: run `{login_command(athlete_id)}`")
        tokens = _parse(stored["Value"])
        if tokens is None:
            raise LoginNeeded(f"parameter {name} holds no Garmin tokens: run `{login_command(athlete_id)}`")
        return tokens

    def store(self, athlete_id: str, tokens: Tokens) -> None:
        """Write `tokens` and read them back: when this returns they are the ones that `load` gives.

        Raises:
            SourceError: they are larger than MAX_VALUE_BYTES, and nothing was written; or they were not confirmed, and
                the old ones may be worth nothing any more.
        """
        name, text = parameter_name(self._project, athlete_id), _text(tokens)
        if (size := len(text.encode())) > MAX_VALUE_BYTES:
            raise SourceError(
                f"the Garmin tokens of {athlete_id} take {size} bytes, a parameter holds {MAX_VALUE_BYTES}"
            )
        version = self._ssm.put_parameter(
            Name=name,
            Value=text,
            Type="SecureString",
            Description="Garmin Connect tokens or key, no password",
            Overwrite=True,
            # Up to 4 KB are free; what is larger becomes an advanced parameter by itself.
            Tier="Intelligent-Tiering",
        )["Version"]
        if not self._is_confirmed(name, version, text):
            raise SourceError(f"parameter {name} did not take the new tokens: run `{login_command(athlete_id)}`")

    def delete(self, athlete_id: str) -> bool:
        """Delete the tokens with all their versions; whether there were any."""
        try:
            self._ssm.delete_parameter(Name=parameter_name(self._project, athlete_id))
        except self._ssm.exceptions.ParameterNotFound:
            return False
        return True

    def exists(self, athlete_id: str) -> bool:
        """Whether anything is stored for the athlete, tokens or not."""
        return self._stored(parameter_name(self._project, athlete_id)) is not None

    def _is_confirmed(self, name: str, version: int, text: str) -> bool:
        """Whether a read gives `text`; one that gives an older version is repeated, as it may lag behind the write."""
        for _ in range(CONFIRM_TRIES):
            stored = self._stored(name)
            if stored is not None and stored["Version"] >= version:
                return stored["Value"] == text
            self._sleep(CONFIRM_PAUSE_S)
        return False

    def _stored(self, name: str) -> "ParameterTypeDef | None":
        try:
            return self._ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
        except self._ssm.exceptions.ParameterNotFound:
            return None


def _origins(text: str) -> list[object]:
    """What a token file says about where its tokens come from."""
    file = _json_object(text)
    claims = _claims(file.get("di_token")) | _claims(file.get("access_token"))
    return [file.get("domain"), claims.get("iss"), claims.get("aud")]


def _names_china(value: object) -> bool:
    values = value if isinstance(value, list) else [value]
    hosts = (str(each).partition("://")[2] or str(each) for each in values)
    return any(host.partition("/")[0].lower().endswith(GARMIN_CHINA) for host in hosts)


def _claims(token: object) -> dict[str, object]:
    """What a JWT says, unverified; {} for anything else."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        return {}
    try:
        return _json_object(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}


def _json_object(text: str | bytes) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _folder(project: str) -> str:
    return f"/{project}/garmin"


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
