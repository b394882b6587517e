"""The table of roles in docs/aws.md, made from the templates: `python -m infra.access` writes it anew."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from infra.access.calls import reason_of, reasons
from infra.access.grants import Grant, grants, trusted

PAGE = Path(__file__).parents[2] / "docs/aws.md"
BEGIN, END = "<!-- roles: made by python -m infra.access -->", "<!-- end of roles -->"


def table(all_grants: Iterable[Grant], trust: Mapping[str, str]) -> str:
    """One table a role: actions, resources and conditions, and the statement that grants them."""
    parts = []
    for role, of_role in groupby(all_grants, key=lambda grant: (grant.stack, grant.role)):
        stack, name = role
        parts += [
            f"### `{{project}}-{name}`",
            f"Stack `{stack}`; acted under by {trust[name]}.",
            "",
            "| actions | on | granted by |",
            "|---|---|---|",
            *(_row(list(of_statement)) for _, of_statement in groupby(of_role, key=lambda grant: grant.place)),
            "",
        ]
    return "\n".join(parts)


def unused_table(all_grants: Iterable[Grant], why: Mapping[str, str]) -> str:
    """Grants that no run of ours used, each with the reason why it stays."""
    rows = [
        f"| `{grant.role}` | `{grant.action}` | {reason} |"
        for grant in all_grants
        if (reason := reason_of(grant, why)) is not None
    ]
    return "\n".join(["| role | action | why it stays |", "|---|---|---|", *rows, ""])


def generated() -> str:
    """All that stands between the page's two marks."""
    found = grants()
    return (
        f"{table(found, trusted())}\n## Grants that no run here uses\n"
        "`make e2e` fails on a call that is denied, and on an unused grant that is not in this list "
        f"(`infra/access/unused.toml`).\n\n{unused_table(found, reasons())}"
    )


def with_table(page: str) -> str:
    """The page with what is generated in its place.

    Raises:
        ValueError: a mark is missing.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} must hold the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{generated()}{END}{tail}"


def _row(of_statement: list[Grant]) -> str:
    first = of_statement[0]
    actions = ", ".join(f"`{grant.action}`" for grant in of_statement)
    resources = "<br>".join(f"`{resource}`" for resource in first.resources)
    condition = f"<br>where {first.condition}" if first.condition else ""
    return f"| {actions} | {resources}{condition} | {first.place} |"
