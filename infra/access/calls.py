"""What the roles did in a run of local AWS, held against what they are granted."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.access.grants import Grant

REASONS_FILE = Path(__file__).with_name("unused.toml")


@dataclass(frozen=True)
class Access:
    """The outcome of a run.

    `denied` are sentences; `unused` are grants that no call needed; `unexplained` are those of them for which
    `unused.toml` gives no reason.
    """

    denied: tuple[str, ...]
    unused: tuple[Grant, ...]
    unexplained: tuple[Grant, ...]


def judge(document: Mapping[str, Any], project: str, all_grants: Iterable[Grant]) -> Access:
    """Compare the calls that local AWS recorded (`/_localaws/iam/calls`) with the grants of the templates.

    Args:
        document: `allowed`, `grants` and `denied`, with the roles' full names.
        project: the prefix of those names.
    """
    # Managed policies carry the project in their names, as roles do; inline policies do not.
    used = {
        (role.removeprefix(f"{project}-"), place.removeprefix(f"{project}-"), action)
        for role, place, action, _ in document["grants"]
    }
    unused = tuple(grant for grant in all_grants if (grant.role, grant.place, grant.action) not in used)
    why = reasons()
    denied = tuple(f"{d['role']}: {d['action']} on {d['resource']} {d['reason']}" for d in document["denied"])
    return Access(denied, unused, tuple(grant for grant in unused if reason_of(grant, why) is None))


def reasons(path: Path = REASONS_FILE) -> dict[str, str]:
    """Why a grant stays although no run of ours used it, by `role`, `role place` or `role place action`."""
    loaded: dict[str, str] = tomllib.loads(path.read_text())["reasons"]
    return loaded


def reason_of(grant: Grant, why: Mapping[str, str]) -> str | None:
    """The reason of one grant: its own, else that of its statement."""
    statement = f"{grant.role} {grant.place}"
    return why.get(f"{statement} {grant.action}") or why.get(statement)
