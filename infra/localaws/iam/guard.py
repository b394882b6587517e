"""The door: every request is of a principal, and passes where that principal's policies let it."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from infra.localaws.iam.calls import Calls
from infra.localaws.iam.conditions import UnknownOperator
from infra.localaws.iam.needs import Need, PassedRole, needs, passed_roles
from infra.localaws.iam.principals import (
    ADMINISTRATOR,
    SESSION,
    Credentials,
    ExpiredToken,
    InvalidToken,
    Principal,
    Sessions,
    session_of,
    utc_now,
)
from infra.localaws.iam.request import BodyTooLarge, Operation, read_operation
from infra.localaws.iam.roles import RoleBook
from infra.localaws.world import ACCOUNT_ID, Environ, World

_SCOPE = re.compile(r"Credential=([^/]*)/\d{8}/([^/]*)/([^/]+)/aws4_request")
_UNSIGNED = re.compile(r"/_localaws/|/restapis/[^/]+/[^/]+/_user_request_|/_aws/execute-api/")
"""Paths that are no calls of the AWS API: ours, and those of deployed REST APIs, which have keys of their own."""
ACCOUNT: Mapping[str, str] = {"aws:resourceaccount": ACCOUNT_ID, "aws:principalaccount": ACCOUNT_ID}
"""Condition keys that are the same for all requests: there is one account here."""
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/")
_OPEN_ACTIONS = frozenset(("sts:GetCallerIdentity",))
"""What nobody needs a permission for."""
_IAM_ROLE_CHANGES = ("iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy",
                     "iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "iam:UpdateRole", "iam:GetRole")  # fmt: skip

_caller: ContextVar[Principal] = ContextVar("caller", default=ADMINISTRATOR)
"""Who made the request that this thread answers, or under which role a service acts."""


@dataclass
class Denied(Exception):
    """A call that is refused, with AWS's error code and sentence."""

    code: str
    message: str
    status: int = 403

    def __str__(self) -> str:
        return self.message


def caller() -> Principal:
    """Who this thread acts for."""
    return _caller.get()


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Let the services in this process act for a principal, within what its policies allow."""
    token = _caller.set(principal)
    try:
        yield
    finally:
        _caller.reset(token)


class Guard:
    """Decides about requests, and about what services do under the roles that they were given."""

    def __init__(self, world: World) -> None:
        self.sessions = Sessions(world.config.state_dir)
        self.roles = RoleBook()
        self.calls = Calls(world.config.state_dir)

    def admit(self, environ: Environ) -> None:
        """Find who makes a request and whether they may; from here on this thread acts for them.

        Raises:
            Denied: unknown or expired credentials, or an action that the caller's policies do not allow.
        """
        if _UNSIGNED.match(environ["PATH_INFO"]) or ".execute-api." in environ.get("HTTP_HOST", ""):
            _caller.set(ADMINISTRATOR)
            return
        key_id, region, service, token = _credentials(environ)
        if not service:
            raise _unsigned(environ)
        principal = self._principal(key_id, token)
        _caller.set(principal)
        if principal.role_name is None and service not in ("sagemaker", "cloudformation", "lambda", "sts", "iam"):
            return
        try:
            operation = read_operation(environ, service, region)
        except BodyTooLarge as error:
            raise Denied(error.code, str(error), status=400) from None
        self._check(principal, operation)

    def require(self, need: Need, principal: Principal | None = None) -> None:
        """Let a service act for its caller, or for the principal given.

        Raises:
            Denied: that principal may not.
        """
        principal = principal or caller()
        if principal.role_name is None or need.action in _OPEN_ACTIONS:
            return
        try:
            decision, reason = self.roles.decide(principal, need.action, need.resource, {**ACCOUNT, **need.context})
        except UnknownOperator as error:
            raise Denied("AccessDenied", str(error)) from None
        if decision.allowed:
            self.calls.allow(principal.role_name, need.action, decision.granted_by)
            return
        self.calls.deny(principal.role_name, need.action, need.resource, reason)
        sentence = f"is not authorized to perform: {need.action} on resource: {need.resource} {reason}"
        raise Denied("AccessDenied", f"User: {principal.arn} {sentence}")

    def service_session(self, role_arn: str, service: str, session_name: str, source_arn: str = "") -> Principal:
        """The principal under which a service acts with a role that it was given.

        Raises:
            Denied: there is no such role, or it does not trust the service.
        """
        if not self.roles.trusts_service(role_arn, service, source_arn):
            raise Denied("AccessDenied", cannot_assume(role_arn, service))
        return session_of(role_arn, session_name)

    def service_credentials(self, role_arn: str, service: str, session_name: str, source_arn: str = "") -> Credentials:
        """Credentials that a service hands into a container or function with its role.

        Raises:
            Denied: there is no such role, or it does not trust the service.
        """
        self.service_session(role_arn, service, session_name, source_arn)
        return self.sessions.issue(role_arn, session_name, SESSION * 12, utc_now())

    def committed(self, environ: Environ) -> None:
        """Read the roles anew after a change of IAM."""
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        if scope and scope[3] == "iam":
            self.roles.forget()

    def _principal(self, key_id: str, token: str) -> Principal:
        try:
            return self.sessions.principal_of(key_id, token, utc_now())
        except InvalidToken:
            raise Denied("InvalidClientTokenId", "The security token included in the request is invalid.") from None
        except ExpiredToken:
            raise Denied("ExpiredToken", "The security token included in the request is expired") from None

    def _check(self, principal: Principal, operation: Operation) -> None:
        wanted = needs(operation, ACCOUNT_ID)
        for need in wanted:
            self.require(self._with_boundary(need), principal)
        if operation.service == "s3" and operation.name in ("GetObject", "HeadObject"):
            self._hide_missing(principal, operation.parameters)
        if operation.service == "sts" and operation.name == "AssumeRole":
            self._check_assumption(principal, operation.parameters)
        for passed in passed_roles(operation):
            self._check_passed(principal, passed, wanted[0].resource)

    def _with_boundary(self, need: Need) -> Need:
        """A change of a role is made under the boundary that the role has."""
        if need.action not in _IAM_ROLE_CHANGES:
            return need
        boundary = self.roles.boundary_arn(need.resource.rpartition("/")[2])
        return replace(need, context={**need.context, "iam:permissionsboundary": boundary}) if boundary else need

    def _hide_missing(self, principal: Principal, parameters: Mapping[str, Any]) -> None:
        """S3 says that a key is missing only to those who may list the bucket."""
        from infra.localaws import s3

        bucket, key = parameters["Bucket"], parameters["Key"]
        listing = Need("s3:ListBucket", f"arn:aws:s3:::{bucket}", {"s3:prefix": key})
        if s3.has_key(bucket, key):
            return
        self.require(listing, principal)

    def _check_assumption(self, principal: Principal, parameters: Mapping[str, Any]) -> None:
        role_arn = str(parameters.get("RoleArn"))
        if not self.roles.trusts_principal(role_arn, principal):
            message = f"User: {principal.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            raise Denied("AccessDenied", message)
        longest_s = self.roles.longest_session_s(role_arn)
        if int(parameters.get("DurationSeconds") or 0) > longest_s:
            message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            raise Denied("ValidationError", message, status=400)

    def _check_passed(self, principal: Principal, passed: PassedRole, source_arn: str) -> None:
        self.require(Need("iam:PassRole", passed.arn, {"iam:passedtoservice": passed.service}), principal)
        if passed.service.startswith("sagemaker") and not _ROLE_ARN.match(passed.arn):
            return  # SageMaker refuses the parameter by its pattern, before it looks for a role
        if not self.roles.trusts_service(passed.arn, passed.service, source_arn):
            raise Denied(*_not_assumable(passed), status=400)


def _unsigned(environ: Environ) -> Denied:
    """The refusal of a request without a signature: S3 calls its author anonymous, all others miss the signature."""
    is_s3 = "HTTP_X_AMZ_TARGET" not in environ and "Action=" not in environ.get("QUERY_STRING", "")
    if is_s3 and not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return Denied("AccessDenied", "Access Denied")
    return Denied("MissingAuthenticationToken", "Request is missing Authentication Token")


def cannot_assume(role_arn: str, service: str) -> str:
    """SageMaker's sentence about a role that it cannot take."""
    return (
        f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal '{service}' to "
        "assume the role."
    )


def _not_assumable(passed: PassedRole) -> tuple[str, str]:
    if passed.service.startswith("lambda"):
        return "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."
    if passed.service.startswith("cloudformation"):
        return "ValidationError", f"Role {passed.arn} is invalid or cannot be assumed"
    return "ValidationException", cannot_assume(passed.arn, passed.service)


def _credentials(environ: Environ) -> tuple[str, str, str, str]:
    """Access key, region, service and session token of a request; all empty where it is not signed."""
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if scope:
        return scope[1], scope[2], scope[3], environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
    if "X-Amz-Credential" not in environ.get("QUERY_STRING", ""):
        return "", "", "", ""
    query = parse_qs(environ["QUERY_STRING"])
    parts = query.get("X-Amz-Credential", [""])[0].split("/")
    if len(parts) != 5:
        return "", "", "", ""
    return parts[0], parts[2], parts[3], query.get("X-Amz-Security-Token", [""])[0]


def credentials_document(role_arn: str, credentials: Credentials) -> bytes:
    """What a container's credential address answers."""
    document = {
        "RoleArn": role_arn,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": f"{credentials.expires_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    return json.dumps(document).encode()
