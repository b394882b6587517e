"""The days of an athlete's past from which forecasts have come due, each with what was known then.

The endpoint works the athlete's own record out of them: how each method would have forecast from those days, against
the readings that followed.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from include.features.schema import EVENT_TIME, NAMES, RECORD_ID, SCHEMA_VERSION, SPORT

if TYPE_CHECKING:
    import pandas as pd

ORIGIN_AGES_DAYS = (0, 7, 14, 21)
"""Days since the last reading on which a forecast counts: users ask on quiet days too, not only after a reading."""
DECIMALS = 6
"""The features' own noise is far greater, and a document of many years stays half as long."""


def origins_document(rows: "pd.DataFrame") -> dict[str, Any]:
    """The days of one athlete's feature rows that forecasts are counted from, as JSON values.

    They are the days with a reading that is ORIGIN_AGES_DAYS old, ascending, each with the sport of its reading; each
    row is in the order of `features`, rounded to DECIMALS, with null for what was not known; `as_of` is the
    newest day of `rows`. Without a reading the lists are empty.

    Raises:
        ValueError: `rows` is empty or holds more than one athlete.
    """
    athletes = rows[RECORD_ID].unique()
    if len(athletes) != 1:
        raise ValueError(f"origins are those of one athlete, not of {len(athletes)}")
    ordered = rows.sort_values(EVENT_TIME, kind="stable")
    chosen = ordered[ordered["reading_age_days"].isin(ORIGIN_AGES_DAYS) & ordered["vo2max_last"].notna()]
    values = np.round(chosen[list(NAMES)].to_numpy(dtype=float), DECIMALS)
    return {
        "schema_version": SCHEMA_VERSION,
        "as_of": str(ordered[EVENT_TIME].iloc[-1])[:10],
        "features": list(NAMES),
        "days": chosen[EVENT_TIME].str[:10].tolist(),
        "sports": chosen[SPORT].tolist(),
        "rows": [[None if math.isnan(value) else value for value in row] for row in values.tolist()],
    }
