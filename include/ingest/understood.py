"""An athlete of whom nothing is known after all was read is a failure that says why, and no empty page."""

from collections import Counter
from collections.abc import Mapping

from include.curate import Tables
from include.garmin.document import SourceError
from include.garmin.holdings import list_keys, version_of_key
from include.ingest.places import Places
from include.lake import LISTING_KIND, raw_prefix

MOST_NAMED = 4
"""So many reasons stand in the message, which is shown in a line."""
EXPECTED = (
    "expected activities (activityId with startTimeLocal or startTimeGMT) or readings (calendarDate with "
    "vo2MaxValue or vo2MaxPreciseValue)"
)


class NothingUnderstood(SourceError):
    """All that raw holds of an athlete gave neither an activity nor a VO2max reading."""


def refuse_nothing_understood(places: Places, athlete_id: str, tables: Tables, unread: Mapping[str, int]) -> None:
    """Refuse tables with neither an activity nor a reading, of which there can be no forecast.

    Args:
        places: where raw is.
        athlete_id: whose tables they are.
        tables: all months.
        unread: what could not be used, by reason.

    Raises:
        NothingUnderstood: says what raw holds, what of it was not understood and what was expected.
    """
    if len(tables.activities) or len(tables.vo2max):
        return
    versions = (version_of_key(key) for key in list_keys(places.s3, places.bucket, raw_prefix(athlete_id)))
    held = Counter(version.kind for version in versions if version is not None and version.kind != LISTING_KIND)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(held.items()))
    days = f", which tell of {len(tables.days)} days" if len(tables.days) else ""
    reasons = Counter(dict(unread)).most_common(MOST_NAMED)
    not_read = "; not read: " + ", ".join(f"{reason} ({count})" for reason, count in reasons) if reasons else ""
    found = f"raw holds {kinds} documents{days}{not_read}" if held else "the source gave no document that can be read"
    raise NothingUnderstood(f"no activity and no VO2max reading: {found}; {EXPECTED}")
