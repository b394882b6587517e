"""What every role did: each action with how often it was allowed and denied, and the grants that let it through.

`python -m infra.access` holds it against the policies: a grant that no run used is one to take away.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from infra.localaws.iam.policy import Statement

FILE = "iam-calls.json"
DENIALS_KEPT = 200


class Calls:
    """Counts in memory, written to the state folder when local AWS is stopped."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE
        self._lock = threading.Lock()
        self._allowed: Counter[tuple[str, str]] = Counter()
        self._grants: Counter[tuple[str, str, str]] = Counter()
        self._denied: list[dict[str, str]] = []
        self._restore()

    def allow(self, role: str, action: str, granted_by: Iterable[Statement]) -> None:
        """Count a call of a role that its policies let through."""
        with self._lock:
            self._allowed[role, action] += 1
            for statement in granted_by:
                self._grants[role, statement.place, statement.granting_action(action)] += 1

    def deny(self, role: str, action: str, resource: str, reason: str) -> None:
        """Keep a call that was refused."""
        with self._lock:
            if len(self._denied) < DENIALS_KEPT:
                self._denied.append({"role": role, "action": action, "resource": resource, "reason": reason})

    def document(self) -> dict[str, Any]:
        """All of it, sorted, as JSON has it."""
        with self._lock:
            return {
                "allowed": [[*key, count] for key, count in sorted(self._allowed.items())],
                "grants": [[*key, count] for key, count in sorted(self._grants.items())],
                "denied": list(self._denied),
            }

    def save(self) -> None:
        """Write the counts; a whole file or none."""
        whole = self._path.with_suffix(".new")
        whole.write_text(json.dumps(self.document(), indent=1))
        whole.replace(self._path)

    def _restore(self) -> None:
        try:
            kept = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return
        self._allowed.update({(role, action): count for role, action, count in kept["allowed"]})
        self._grants.update({(role, place, action): count for role, place, action, count in kept["grants"]})
        self._denied += kept["denied"]
