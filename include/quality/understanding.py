"""What of an athlete's documents nobody could read: below a share it is counted, above it the athlete is told."""

from collections.abc import Iterator, Mapping

from include.curate.tables import Tables
from include.quality.limits import STOP_ROWS, STOP_SHARE, Severity
from include.quality.verdict import FailedCheck

READING_FIELDS = (
    "vO2MaxValue", "vo2MaxValue", "vo2MaxPreciseValue", "cyclingVo2MaxValue", "cyclingVo2MaxPreciseValue", "maxMet",
    "vo2max",
)  # fmt: skip
EXPECTED_ITEMS = "expected are Garmin's activities, days and VO2max readings in the layouts that docs/data.md lists"
EXPECTED_READINGS = "expected is a number such as 48.0"
_VALUE_MARK = ": not "
"""What sets the count of a value within an item apart from that of an item as a whole."""


def not_understood(athlete_id: str, tables: Tables) -> Iterator[FailedCheck]:
    """The checks that fail because documents hold what is not understood.

    An athlete of whom nothing at all was read is refused by `include.ingest.understood`, which knows what raw holds.
    """
    items = {reason: count for reason, count in tables.unread.items() if _VALUE_MARK not in reason}
    if items:
        yield _check(athlete_id, "documents", items, EXPECTED_ITEMS, tables.items_read)
    readings = {
        reason: count for reason, count in tables.unread.items() if reason.split(_VALUE_MARK)[0] in READING_FIELDS
    }
    if readings:
        yield _check(athlete_id, "vo2max", readings, EXPECTED_READINGS, len(tables.vo2max))


def _check(athlete_id: str, table: str, found: Mapping[str, int], expected: str, read: int) -> FailedCheck:
    count = sum(found.values())
    is_much = count >= STOP_ROWS and count > STOP_SHARE * (count + read)
    severity = Severity.STOP if is_much or (table == "vo2max" and read == 0) else Severity.QUARANTINE
    told = ", ".join(f"{number} times '{reason}'" for reason, number in found.items())
    return FailedCheck(athlete_id, table, f"not understood: found {told}; {expected}", severity, count, count + read)
