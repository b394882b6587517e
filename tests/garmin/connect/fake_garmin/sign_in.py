"""Garmin's sign-in as the phone's app uses it, and the two services that give tokens."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from tests.garmin.connect.fake_garmin.accounts import Account, Accounts
from tests.garmin.connect.fake_garmin.answers import ok
from tests.garmin.connect.fake_garmin.faults import Answer

UNAUTHORIZED = Answer(401, b'{"message": "HTTP 401 Unauthorized"}')


class SignIn:
    """One sign-in at a time: the account whose code is awaited is remembered."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._awaits_code: Account | None = None

    def sso(self, path: str, body: bytes) -> Answer | None:
        """sso.garmin.com"""
        if path.endswith("/sign-in"):
            return Answer(200, b"<html><title>GARMIN</title></html>", {"Set-Cookie": "SESSION=1; Path=/"})
        if re.fullmatch(r"/(mobile|portal)/api/login", path):
            return self._password(json.loads(body))
        if re.fullmatch(r"/(mobile|portal)/api/mfa/verifyCode", path):
            account, code = self._awaits_code, json.loads(body)["mfaVerificationCode"]
            return self._success(account) if account and code == account.mfa_code else _status("MFA_CODE_INVALID")
        return None

    def di_token(self, body: bytes) -> Answer:
        """diauth.garmin.com"""
        asked = dict(parse_qsl(body.decode()))
        if asked["grant_type"] == "refresh_token":
            tokens = self._accounts.tokens_for_refresh(asked["refresh_token"])
        else:
            tokens = self._accounts.tokens_for_ticket(asked["service_ticket"])
        return ok(tokens) if tokens else Answer(400, b'{"error": "invalid_grant", "error_description": "no"}')

    def oauth1_exchange(self, authorization: str) -> Answer:
        """connectapi.garmin.com/oauth-service; signatures are not checked."""
        match = re.search(r'oauth_token="([^"]+)"', authorization)
        tokens = match and self._accounts.tokens_for_oauth1(match[1])
        return ok(tokens) if tokens else UNAUTHORIZED

    def _password(self, asked: dict[str, Any]) -> Answer:
        account = self._accounts.known.get(asked["username"])
        if account is None or asked["password"] != account.password:
            return _status("INVALID_USERNAME_PASSWORD")
        if account.mfa_code is None:
            return self._success(account)
        self._awaits_code = account
        return _status("MFA_REQUIRED", customerMfaInfo={"mfaLastMethodUsed": "email"})

    def _success(self, account: Account) -> Answer:
        return _status("SUCCESSFUL", serviceTicketId=self._accounts.ticket(account))


def _status(kind: str, **more: Any) -> Answer:
    return ok({"responseStatus": {"type": kind}, **more})
