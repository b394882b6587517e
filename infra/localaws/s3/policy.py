"""Bucket policies: what moto evaluates, less what cannot be true of requests on this machine."""

import json
from functools import lru_cache
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


def get_permission(self: FakeBucket, action: str, resource: str) -> Any:
    """Stands in for `FakeBucket.get_permission`: moto ignores conditions, so `deny unless TLS` would deny all."""
    if self.policy is None:
        return PermissionResult.NEUTRAL
    policy = _evaluable(self.policy)
    return PermissionResult.NEUTRAL if policy is None else policy.is_action_permitted(action, resource)


@lru_cache(maxsize=64)
def _evaluable(policy: bytes | str) -> Any:
    """The statements without conditions; conditions are not evaluated (requests here count as TLS)."""
    document = json.loads(policy)
    statements = document.get("Statement") or []
    statements = [statements] if isinstance(statements, dict) else statements
    kept = [statement for statement in statements if not statement.get("Condition")]
    return IAMPolicy(json.dumps({**document, "Statement": kept})) if kept else None
