"""The days of an athlete's past from which forecasts have come due, each with what was known then.

The endpoint works the athlete's own record out of them: how each method would have forecast from those days, against
the readings that followed.
"""

from typing import Any

import numpy as np
import pandas as pd

from include.features.schema import EVENT_TIME, NAMES, RECORD_ID, SCHEMA_VERSION, SPORT

ORIGIN_AGES_DAYS = (0, 7, 14, 21)
"""Days since the last reading on which a forecast counts: users ask on quiet days too, not only after a reading."""
DECIMALS = 6
"""The features' own noise is far greater, and a document of many years stays half as long."""


def origins_document(rows: pd.DataFrame) -> dict[str, Any]:
    """The days of one athlete's feature rows that forecasts are counted from, as JSON values.

    They are the days of the newest row's sport with a reading that is ORIGIN_AGES_DAYS old, ascending; each row is in
    the order of `features`, rounded to DECIMALS, with null for what was not known. Without a reading the lists are
    empty.

    Raises:
        ValueError: `rows` is empty or holds more than one athlete.
    """
    athletes = rows[RECORD_ID].unique()
    if len(athletes) != 1:
        raise ValueError(f"origins are those of one athlete, not of {len(athletes)}")
    ordered = rows.sort_values(EVENT_TIME, kind="stable")
    sport = str(ordered[SPORT].iloc[-1])
    is_origin = ordered["reading_age_days"].isin(ORIGIN_AGES_DAYS) & ordered["vo2max_last"].notna()
    chosen = ordered[is_origin & (ordered[SPORT] == sport)]
    numbers = np.round(chosen[list(NAMES)].to_numpy(dtype=float), DECIMALS)
    values = numbers.astype(object)
    values[np.isnan(numbers)] = None
    return {
        "schema_version": SCHEMA_VERSION,
        "sport": sport,
        "features": list(NAMES),
        "days": chosen[EVENT_TIME].str[:10].tolist(),
        "rows": values.tolist(),
    }
