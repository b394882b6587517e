"""Who makes a call: the account's administrator, or a session of a role, known by its credentials.

A session token carries what it stands for, signed with a secret of the state folder: credentials outlive a restart of
local AWS, as they outlive any server of AWS, and none has to be kept.
"""

import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from infra.localaws.world import ACCOUNT_ID

ADMINISTRATOR_KEY_ID = "local"
"""The access key of the account's administrator; its secret is the same word, for a laptop's owner may do all."""
SESSION = timedelta(hours=1)
"""How long a session lasts that nobody asked to last longer or shorter."""
LONGEST_SESSION = timedelta(hours=12)
_KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class InvalidToken(Exception):
    """The credentials belong to nobody here."""


class ExpiredToken(Exception):
    """The credentials belong to a session that has ended."""


@dataclass(frozen=True)
class Principal:
    """A caller; `role_name` is None for the administrator, who may do everything."""

    arn: str
    role_name: str | None = None
    role_arn: str | None = None


ADMINISTRATOR = Principal(f"arn:aws:iam::{ACCOUNT_ID}:root")


@dataclass(frozen=True)
class Credentials:
    """Temporary credentials of a role's session."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime

    def as_environment(self) -> dict[str, str]:
        """The variables by which every AWS SDK takes them."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


class Sessions:
    """Issues and reads the credentials of role sessions."""

    def __init__(self, state_dir: Path) -> None:
        self._signer = URLSafeSerializer(_kept_secret(state_dir / "iam-secret"), salt="session")
        self._read = lru_cache(maxsize=1024)(self._load)

    def issue(self, role_arn: str, session_name: str, lasts: timedelta, now: datetime) -> Credentials:
        """Credentials of a new session of a role."""
        key_id = "ASIA" + "".join(secrets.choice(_KEY_LETTERS) for _ in range(16))
        expires_at = (now + min(lasts, LONGEST_SESSION)).replace(microsecond=0)
        token = str(self._signer.dumps([key_id, role_arn, session_name, int(expires_at.timestamp())]))
        return Credentials(key_id, hashlib.sha256(token.encode()).hexdigest()[:40], token, expires_at)

    def principal_of(self, access_key_id: str, session_token: str, now: datetime) -> Principal:
        """Who the credentials of a request stand for.

        Raises:
            InvalidToken: they were not issued here.
            ExpiredToken: their session has ended.
        """
        if not session_token:
            if access_key_id == ADMINISTRATOR_KEY_ID:
                return ADMINISTRATOR
            raise InvalidToken
        key_id, expires_at_s, principal = self._read(session_token)
        if key_id != access_key_id:
            raise InvalidToken
        if now.timestamp() >= expires_at_s:
            raise ExpiredToken
        return principal

    def _load(self, token: str) -> tuple[str, int, Principal]:
        try:
            document: Any = self._signer.loads(token)
        except BadSignature:
            raise InvalidToken from None
        key_id, role_arn, session_name, expires_at_s = document
        return key_id, expires_at_s, session_of(role_arn, session_name)


def session_of(role_arn: str, session_name: str) -> Principal:
    """The principal of a role's session."""
    name = role_arn.rpartition("/")[2]
    return Principal(f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{name}/{session_name}", name, role_arn)


def utc_now() -> datetime:
    """The present moment, UTC."""
    return datetime.now(UTC)


def _kept_secret(path: Path) -> str:
    """The secret of a state folder, made where there is none; its owner alone can read it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(".new")
        whole.unlink(missing_ok=True)
        descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        whole.replace(path)
    return path.read_text()
