"""What roles may do, read from moto's records of them: policies, permissions boundary and trust."""

import json
import threading
from collections.abc import Mapping
from typing import Any

from infra.localaws.iam.conditions import Context
from infra.localaws.iam.policy import Decision, PolicySet, is_principal_named, parse_policy
from infra.localaws.iam.principals import ADMINISTRATOR, Principal
from infra.localaws.world import ACCOUNT_ID

SERVICES_THAT_SAY_FOR_WHOM = frozenset(
    ("airflow.amazonaws.com", "airflow-env.amazonaws.com", "codebuild.amazonaws.com", "sagemaker.amazonaws.com")
)
"""Services whose documentation has `aws:SourceAccount` and `aws:SourceArn` in the trust policy of their role."""
ALLOWED = Decision(allowed=True)


class RoleBook:
    """Roles with their policies, compiled when they are first asked for and forgotten when IAM changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._compiled: dict[str, tuple[PolicySet, PolicySet | None]] = {}

    def forget(self) -> None:
        """Read every role anew: something of IAM was changed."""
        with self._lock:
            self._compiled.clear()

    def decide(self, principal: Principal, action: str, resource: str, context: Context) -> tuple[Decision, str]:
        """Whether a principal may; beside it, why not, in AWS's words."""
        if principal.role_name is None:
            return ALLOWED, ""
        policies, boundary = self._policies(principal.role_name)
        decision = policies.decide(action, resource, context)
        if decision.denied_by is not None:
            return decision, "with an explicit deny in an identity-based policy"
        if not decision.allowed:
            return decision, f"because no identity-based policy allows the {action} action"
        if boundary is not None:
            limit = boundary.decide(action, resource, context)
            if limit.denied_by is not None:
                return limit, "with an explicit deny in a permissions boundary"
            if not limit.allowed:
                return limit, f"because no permissions boundary allows the {action} action"
        return decision, ""

    def trusts(self, role_arn: str, kind: str, names: tuple[str, ...], context: Context) -> bool:
        """Whether a role exists and its trust policy lets a principal assume it.

        Args:
            kind: `Service` or `AWS`.
            names: what the principal may be called there.
        """
        record = role_record(role_arn.rpartition("/")[2])
        if record is None or record.arn != role_arn:
            return False
        text = record.assume_role_policy_document
        statements = parse_policy("trust", text if isinstance(text, str) else json.dumps(text))
        trust = PolicySet([s for s in statements if is_principal_named(s, kind, names)])
        return trust.decide("sts:AssumeRole", "*", context).allowed

    def trusts_principal(self, role_arn: str, principal: Principal) -> bool:
        """Whether a caller of this account is trusted: by its own ARN, its role's, or as one of the account."""
        names = (principal.arn, principal.role_arn or principal.arn, ADMINISTRATOR.arn, ACCOUNT_ID)
        return self.trusts(role_arn, "AWS", names, {"aws:principalarn": principal.role_arn or principal.arn})

    def trusts_service(self, role_arn: str, service: str, source_arn: str = "") -> bool:
        """Whether a service may act under a role. Only services that document it say for whom they act."""
        context = {}
        if service in SERVICES_THAT_SAY_FOR_WHOM:
            context["aws:sourceaccount"] = ACCOUNT_ID
            if source_arn:
                context["aws:sourcearn"] = source_arn
        return self.trusts(role_arn, "Service", (service,), context)

    def boundary_arn(self, role_name: str) -> str | None:
        """The permissions boundary of a role that exists."""
        record = role_record(role_name)
        return getattr(record, "permissions_boundary_arn", None) or None

    def longest_session_s(self, role_arn: str) -> int:
        """How long a session of a role may last."""
        record = role_record(role_arn.rpartition("/")[2])
        return int(getattr(record, "max_session_duration", None) or 3600)

    def _policies(self, role_name: str) -> tuple[PolicySet, PolicySet | None]:
        found = self._compiled.get(role_name)
        if found is None:
            found = _compiled(role_name)
            with self._lock:
                self._compiled[role_name] = found
        return found


def role_record(name: str) -> Any:
    """moto's record of a role, or None."""
    return next((role for role in _backend().roles.values() if role.name == name), None)


def role_documents(record: Any) -> Mapping[str, str]:
    """The policies of a role as JSON, by name: its own, then the managed ones attached to it."""
    own = {name: text if isinstance(text, str) else json.dumps(text) for name, text in record.policies.items()}
    return own | {policy.name: _default_version(policy) for policy in record.managed_policies.values()}


def _compiled(role_name: str) -> tuple[PolicySet, PolicySet | None]:
    record = role_record(role_name)
    if record is None:
        return PolicySet(()), None  # deleted while its sessions last: they may do nothing more
    statements = [s for name, text in role_documents(record).items() for s in parse_policy(name, text)]
    arn = record.permissions_boundary_arn
    if not arn:
        return PolicySet(statements), None
    boundary = _backend().managed_policies.get(arn)
    limits = parse_policy("boundary", _default_version(boundary)) if boundary else ()
    return PolicySet(statements), PolicySet(limits)


def _default_version(policy: Any) -> str:
    version = next(version for version in policy.versions if version.is_default)
    return version.document if isinstance(version.document, str) else json.dumps(version.document)


def _backend() -> Any:
    from moto.iam.models import iam_backends

    return iam_backends[ACCOUNT_ID]["aws"]
