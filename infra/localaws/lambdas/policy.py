"""A function's resource policy: may this service invoke it?"""

import re
from typing import Any

from infra.localaws.world import ACCOUNT_ID


def allows(record: Any, principal: str, source_arn: str) -> bool:
    """Whether a permission on moto's `LambdaFunction` lets the service `principal` invoke it for `source_arn`."""
    return any(_allows(statement, principal, source_arn) for statement in record.policy.statements)


def _allows(statement: dict[str, Any], principal: str, source_arn: str) -> bool:
    named = statement.get("Principal")
    services = named.get("Service") if isinstance(named, dict) else named
    if services != "*" and principal not in (services if isinstance(services, list) else [services]):
        return False
    if statement.get("Effect", "Allow") != "Allow":
        return False
    if statement.get("Action") not in {"lambda:InvokeFunction", "lambda:*", "*"}:
        return False
    return all(
        _holds(kind, key, wanted, source_arn)
        for kind, conditions in (statement.get("Condition") or {}).items()
        for key, wanted in conditions.items()
    )


def _holds(kind: str, key: str, wanted: Any, source_arn: str) -> bool:
    """Conditions on anything but the source are not known here and hold for nobody."""
    actual = {"aws:sourcearn": source_arn, "aws:sourceaccount": ACCOUNT_ID}.get(key.lower())
    if actual is None:
        return False
    values = wanted if isinstance(wanted, list) else [wanted]
    if kind in {"ArnLike", "ArnEquals", "StringLike"}:
        return any(like(str(value), actual) for value in values)
    return kind == "StringEquals" and actual in values


def like(pattern: str, text: str) -> bool:
    """IAM's wildcards: `*` for any characters, `?` for one."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.DOTALL) is not None
