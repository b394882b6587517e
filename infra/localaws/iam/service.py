"""IAM and STS put into place: the guard before every service, credentials for roles, and who is who."""

import json
from collections.abc import Iterable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode

from infra.localaws.iam.guard import Denied, Guard, caller, credentials_document
from infra.localaws.iam.principals import utc_now
from infra.localaws.iam.roles import role_record
from infra.localaws.world import ACCOUNT_ID, Config, Environ, StartResponse, World

CREDENTIALS_PATH = "/_localaws/credentials/"
"""`…/credentials/{service}/{role name}` gives a container of that service its role's credentials, as the metadata
address of a container does on AWS (AWS_CONTAINER_CREDENTIALS_FULL_URI). `?source-arn=` names the resource for which
the service asks, where the role's trust policy wants to know (`aws:SourceArn`)."""
CALLS_PATH = "/_localaws/iam/calls"


def install(world: World) -> Guard:
    """Make the guard of a world and let STS speak for it."""
    guard = Guard(world)
    _speak_for(guard)
    world.on_commit(guard.committed)
    world.on_restore(guard.roles.forget)
    world.on_close(guard.calls.save)
    world.route(_wants_credentials, lambda environ, answer: _credentials(guard, environ, answer))
    world.route(lambda environ: environ["PATH_INFO"] == CALLS_PATH, lambda _, answer: _calls(guard, answer))
    return guard


def credentials_url(config: Config, service: str, role_arn: str, source_arn: str) -> str:
    """Where a container of a service finds the credentials of its role.

    Args:
        service: the principal that the role trusts, e.g. `sagemaker.amazonaws.com`.
        source_arn: the resource that the container belongs to.
    """
    name = role_arn.rpartition("/")[2]
    return f"{config.url}{CREDENTIALS_PATH}{quote(service)}/{quote(name)}?{urlencode({'source-arn': source_arn})}"


def _wants_credentials(environ: Environ) -> bool:
    path: str = environ["PATH_INFO"]
    return environ["REQUEST_METHOD"] == "GET" and path.startswith(CREDENTIALS_PATH)


def _credentials(guard: Guard, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    service, _, name = unquote(environ["PATH_INFO"].removeprefix(CREDENTIALS_PATH)).partition("/")
    source_arn = parse_qs(environ.get("QUERY_STRING", "")).get("source-arn", [""])[0]
    record = role_record(name)
    role_arn = record.arn if record else f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"
    try:
        credentials = guard.service_credentials(role_arn, service, service.partition(".")[0], source_arn)
    except Denied as denied:
        return _json(start_response, "403 Forbidden", json.dumps({"message": denied.message}).encode())
    return _json(start_response, "200 OK", credentials_document(role_arn, credentials))


def _calls(guard: Guard, start_response: StartResponse) -> Iterable[bytes]:
    return _json(start_response, "200 OK", json.dumps(guard.calls.document()).encode())


def _json(start_response: StartResponse, status: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _speak_for(guard: Guard) -> None:
    """Let moto's STS give out credentials that the guard knows, and name the caller as the guard does."""
    from moto.sts.models import AssumedRole, STSBackend

    def assume_role(
        _: STSBackend,
        region_name: str,
        role_session_name: str,
        role_arn: str,
        policy: str,
        duration: int,
        external_id: str,
    ) -> AssumedRole:
        if policy:
            raise NotImplementedError("session policies")
        issued = guard.sessions.issue(role_arn, role_session_name, timedelta(seconds=duration), utc_now())
        key: Any = SimpleNamespace(access_key_id=issued.access_key_id, secret_access_key=issued.secret_access_key)
        role = AssumedRole(ACCOUNT_ID, region_name, key, role_session_name, role_arn, policy, duration, external_id)
        role.session_token, role.expiration = issued.session_token, issued.expires_at
        return role

    def get_caller_identity(_: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:  # noqa: ARG001
        principal = caller()
        record = role_record(principal.role_name) if principal.role_name else None
        user_id = f"{record.id}:{principal.arn.rpartition('/')[2]}" if record else ACCOUNT_ID
        return user_id, principal.arn, ACCOUNT_ID

    backend: Any = STSBackend
    backend.assume_role = assume_role
    backend.get_caller_identity = get_caller_identity
