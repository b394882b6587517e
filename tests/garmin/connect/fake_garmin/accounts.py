"""Accounts of the fake: passwords and codes, tickets, and tokens that rotate."""

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

CLIENT_ID = "GARMIN_CONNECT_MOBILE_ANDROID_DI_2025Q2"
REFRESH_LIFE_S = 30 * 86_400


@dataclass
class Account:
    """One account and what Garmin would answer about it, by endpoint; days by `YYYY-MM-DD`."""

    email: str = "runner@example.org"
    password: str = "correct horse battery"
    mfa_code: str | None = None
    display_name: str = "d1splay-name"
    profile_id: int = 7001
    access_life_s: float = 86_400
    activities: list[dict[str, Any]] = field(default_factory=list)
    """Items of the activity list, in any order."""
    summaries: dict[int, dict[str, Any]] = field(default_factory=dict)
    days: dict[str, dict[str, Any]] = field(default_factory=dict)
    sleep: dict[str, dict[str, Any]] = field(default_factory=dict)
    hrv: list[dict[str, Any]] = field(default_factory=list)
    max_metrics: list[dict[str, Any]] = field(default_factory=list)
    training_status: dict[str, dict[str, Any]] = field(default_factory=dict)
    weights: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Accounts:
    """Who exists, and which tokens are good."""

    known: dict[str, Account] = field(default_factory=dict)
    issued: set[str] = field(default_factory=set)
    """Every secret that was ever handed out."""
    refreshes: int = 0
    _tickets: dict[str, Account] = field(default_factory=dict)
    _access: dict[str, Account] = field(default_factory=dict)
    _refresh: dict[str, Account] = field(default_factory=dict)
    _oauth1: dict[str, Account] = field(default_factory=dict)

    def add(self, account: Account) -> Account:
        self.known[account.email] = account
        return account

    def ticket(self, account: Account) -> str:
        return self._remember(self._tickets, account, f"ST-{secrets.token_hex(12)}")

    def tokens_for_ticket(self, ticket: str) -> dict[str, Any] | None:
        account = self._tickets.pop(ticket, None)
        return account and self.new_tokens(account)

    def tokens_for_refresh(self, refresh_token: str) -> dict[str, Any] | None:
        """New tokens; the old refresh token is good once."""
        account = self._refresh.pop(refresh_token, None)
        if account is None:
            return None
        self.refreshes += 1
        return self.new_tokens(account)

    def new_tokens(self, account: Account, life_s: float | None = None) -> dict[str, Any]:
        """The body of a token answer; `life_s` of the access token."""
        life_s = account.access_life_s if life_s is None else life_s
        access = self._remember(self._access, account, _jwt(life_s))
        refresh = self._remember(self._refresh, account, f"refresh-{secrets.token_hex(16)}")
        return {
            "access_token": access,
            "token_type": "Bearer",
            "refresh_token": refresh,
            "expires_in": int(life_s),
            "refresh_token_expires_in": REFRESH_LIFE_S,
            "scope": "CONNECT_READ",
            "jti": secrets.token_hex(4),
        }

    def token_file(self, account: Account, life_s: float | None = None) -> str:
        """A `garmin_tokens.json` with tokens just issued."""
        tokens = self.new_tokens(account, life_s)
        return json.dumps({
            "di_token": tokens["access_token"],
            "di_refresh_token": tokens["refresh_token"],
            "di_client_id": CLIENT_ID,
        })  # fmt: skip

    def oauth1_token(self, account: Account) -> dict[str, Any]:
        """An `oauth1_token.json`, which is exchanged for access tokens for a year."""
        token = self._remember(self._oauth1, account, f"oauth1-{secrets.token_hex(12)}")
        secret = f"oauth1-secret-{secrets.token_hex(12)}"
        self.issued.add(secret)
        return {
            "oauth_token": token,
            "oauth_token_secret": secret,
            "mfa_token": None,
            "mfa_expiration_timestamp": None,
            "domain": "garmin.com",
        }

    def tokens_for_oauth1(self, token: str) -> dict[str, Any] | None:
        account = self._oauth1.get(token)
        if account is None:
            return None
        self.refreshes += 1
        return self.new_tokens(account)

    def of_access_token(self, token: str) -> Account | None:
        account = self._access.get(token)
        return account if account and _ends_at(token) > time.time() else None

    def revoke_access(self) -> None:
        """Every access token is refused from now on, whatever its end says."""
        self._access.clear()

    def revoke_all(self) -> None:
        """As when the password was changed."""
        for kept in (self._access, self._refresh, self._oauth1):
            kept.clear()

    def _remember(self, kept: dict[str, Account], account: Account, secret: str) -> str:
        kept[secret] = account
        self.issued.add(secret)
        return secret


def _jwt(life_s: float) -> str:
    parts: list[dict[str, Any]] = [{"alg": "RS256"}, {"client_id": CLIENT_ID, "exp": int(time.time() + life_s)}]
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*coded, secrets.token_urlsafe(24)])


def _ends_at(token: str) -> float:
    payload = token.split(".")[1]
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return float(value["exp"])
