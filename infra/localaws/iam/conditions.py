"""The `Condition` block of a policy statement: operators of IAM over the keys of a request's context."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

Context = Mapping[str, str]
"""Condition keys in lower case, each with its one value; a key that a request does not have is absent."""


class UnknownOperator(Exception):
    """A condition operator that local AWS does not evaluate; nothing is allowed by guessing."""


@lru_cache(maxsize=4096)
def wildcard(pattern: str) -> re.Pattern[str]:
    """IAM's wildcards as a regular expression: `*` for any characters, `?` for one."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def is_like(pattern: str, value: str) -> bool:
    """Whether a value matches a pattern with IAM's wildcards."""
    return wildcard(pattern).fullmatch(value) is not None


def _equal(wanted: str, value: str) -> bool:
    return wanted == value


def _equal_ignoring_case(wanted: str, value: str) -> bool:
    return wanted.casefold() == value.casefold()


_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_equal, True),
    "StringNotEquals": (_equal, False),
    "StringEqualsIgnoreCase": (_equal_ignoring_case, True),
    "StringLike": (is_like, True),
    "StringNotLike": (is_like, False),
    "ArnEquals": (is_like, True),
    "ArnLike": (is_like, True),
    "ArnNotEquals": (is_like, False),
    "ArnNotLike": (is_like, False),
    "Bool": (_equal_ignoring_case, True),
}
"""By name: how a wanted value is compared, and whether the operator asks for a match or for none."""


def condition_holds(block: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether every operator of a `Condition` block holds.

    A key that the context lacks fails an operator that asks for a match, and passes one that asks for none, one with
    `IfExists`, and `Null: true`, as IAM defines it.

    Raises:
        UnknownOperator: the block uses an operator that is not evaluated here.
    """
    return all(
        _key_holds(operator, _values(wanted), context.get(key.lower()))
        for operator, keys in block.items()
        for key, wanted in keys.items()
    )


def _key_holds(operator: str, wanted: Sequence[str], value: str | None) -> bool:
    if operator == "Null":
        return (value is None) == (wanted[0].lower() == "true")
    name = operator.removesuffix("IfExists")
    if name not in _OPERATORS:
        raise UnknownOperator(f"local AWS does not evaluate the condition operator {operator}")
    compare, asks_for_match = _OPERATORS[name]
    if value is None:
        return name != operator or not asks_for_match
    return any(compare(pattern, value) for pattern in wanted) == asks_for_match


def _values(wanted: Any) -> list[str]:
    items = wanted if isinstance(wanted, list) else [wanted]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in items]
