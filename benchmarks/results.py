"""What a benchmark returns, the table it is printed in and the file it is kept in."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results.json"


def _machine() -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"


@dataclass(frozen=True)
class Result:
    """One measured figure.

    Attributes:
        target: the figure to reach, in the same unit: at most this, or at least when `at_least`; None for no target.
        versus: what a user would pick instead and its figure, measured in the same run.
    """

    name: str
    value: float
    unit: str
    target: float | None
    versus: str
    at_least: bool = False
    machine: str = field(default_factory=_machine)
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def _is_met(value: float, target: float, at_least: bool) -> bool:
    return value >= target if at_least else value <= target


def table(results: Sequence[Result]) -> str:
    """The results as aligned text."""
    rows = [("name", "value", "target", "", "beside it")]
    for r in results:
        verdict = "" if r.target is None else ("met" if _is_met(r.value, r.target, r.at_least) else "MISSED")
        target = "" if r.target is None else f"{'>=' if r.at_least else '<='} {r.target:g} {r.unit}"
        rows.append((r.name, f"{r.value:.3g} {r.unit}", target, verdict, r.versus))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def keep(results: Sequence[Result], path: Path = RESULTS) -> None:
    """Write results to the file; figures of other names that stand in it stay."""
    kept = {row["name"]: row for row in json.loads(path.read_text())} if path.exists() else {}
    kept.update({r.name: asdict(r) for r in results})
    path.write_text(json.dumps(sorted(kept.values(), key=lambda row: row["name"]), indent=1) + "\n")
