"""What an athlete's own forecasts that have come due say: how much each method counts, and how wide the bands must be.

Forecasts are made in thought for every origin of the athlete's history, by the methods of `methods`, and scored when
their reading has come. Once a week, by range of days:

* **Weights** by fixed share (Herbster and Warmuth 1998): w ← (1 - SHARE) × w × exp(-RATE × loss) / Σ + SHARE × start.
  The loss of a method is its mean CRPS of the readings of that week, in units of the athlete's own scale, at most
  MOST_LOSS. Over any stretch of T weeks in a row the weighted mean of losses is at most
  (ln((RATE × MOST_LOSS + SHARE) / (SHARE × start_k)) - T × ln(1 - SHARE)) / RATE + T × RATE × MOST_LOSS² / 8 more than
  that of method k, whichever that is (Cesa-Bianchi et al. 2012, adaptive regret of fixed share), and so is the CRPS of
  the mixture, in which it is convex, but for rounding to whole numbers and losses beyond MOST_LOSS.
* **Bands** by adaptive conformal inference (Gibbs and Candès 2021), on the logarithm of their width: wider after
  misses, narrower after none, so that over T windows the share of misses differs from 10 % by no more than
  (ln(MOST_WIDE / LEAST_WIDE) + step) / (step × T), as long as the limits are not met.

Weeks of a range whose forecasts overlap are no independent evidence: a week counts 7 days of a window as long as the
range's usual lag. A neighbouring range says half as much. All is as of a day: only readings of weeks that ended by then
count, so that the same history gives the same record, whoever asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from include.forecast import methods
from include.forecast.distribution import Predictive, crps
from include.forecast.horizon import BUCKETS, Array, bucket_index
from include.forecast.methods import METHODS, PERSISTENCE
from include.forecast.rows import Rows

if TYPE_CHECKING:
    from include.forecast.forecaster import Forecaster

COMBINED = "combined"
ANSWERS = (COMBINED, PERSISTENCE)
"""What may answer a range of days; each has bands of its own."""
RATE = 1.0
SHARE = 0.01
MOST_LOSS = 3.0
"""CRPS in units of the athlete's scale; a usual one is 0.3 to 0.6."""
WEEK_DAYS = 7
USUAL_LAG_DAYS = (4.0, 11.0, 21.0, 35.0)
"""By bucket: the length of an independent window."""
NEIGHBOUR = 0.5
MISSED = 0.1
"""Share of readings that a 90 % band leaves outside."""
STEP = (0.2, 0.2, 0.1, 0.05)
"""By bucket: what one window changes the logarithm of the bands' width by, for a share of misses."""
LEAST_WIDE, MOST_WIDE = 0.6, 3.0
_BAND_90 = -1
_WORTH = np.minimum(WEEK_DAYS / np.array(USUAL_LAG_DAYS), 1.0)
_SHARED = np.eye(len(BUCKETS)) + NEIGHBOUR * (np.abs(np.subtract.outer(range(4), range(4))) == 1)
"""How much an event of one bucket (row) counts in another (column)."""

Days = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Records:
    """Records as of one or more days.

    Attributes:
        weights: by day, bucket and method of METHODS; they sum to 1.
        scales: by day, bucket and answer of ANSWERS: what the half widths of its bands are multiplied by.
        windows: by day and bucket: independent windows that have come due.
        gains: by day and bucket: what the CRPS of the combined forecast was more than that of persistence over those
            windows, as a share of it; -0.03 is 3 % better.
    """

    weights: Array
    scales: Array
    windows: Array
    gains: Array

    def at(self, index: npt.NDArray[Any] | slice) -> "Records":
        """The records of chosen days, in the order chosen (days may repeat: one for each row of a day)."""
        return Records(self.weights[index], self.scales[index], self.windows[index], self.gains[index])

    def to_json(self) -> dict[str, Any]:
        """The first day's record: small enough to be handed from call to call."""
        return {
            name: {
                "weights": dict(zip(METHODS, np.round(self.weights[0, index], 9).tolist(), strict=True)),
                "band_scale": dict(zip(ANSWERS, np.round(self.scales[0, index], 9).tolist(), strict=True)),
                "windows": round(float(self.windows[0, index]), 3),
                "gain": round(float(self.gains[0, index]), 6),
            }
            for index, name in enumerate(BUCKETS)
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Records":
        """The record that `to_json` wrote.

        Raises:
            ValueError: a bucket or method is missing, weights that are no shares, bands beyond their limits, or windows
                and gain that are no amounts.
        """
        try:
            tables = [document[name] for name in BUCKETS]
            weights = np.array([[float(table["weights"][method]) for method in METHODS] for table in tables])
            scales = np.array([[float(table["band_scale"][answer]) for answer in ANSWERS] for table in tables])
            windows = np.array([float(table["windows"]) for table in tables])
            gains = np.array([float(table["gain"]) for table in tables])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no record of forecasts: {error!r}") from error
        if not (np.all(weights >= 0) and np.allclose(weights.sum(axis=1), 1.0, atol=1e-6)):
            raise ValueError("no record of forecasts: the weights of a range must be shares that sum to 1")
        if not np.all((scales >= LEAST_WIDE - 1e-6) & (scales <= MOST_WIDE + 1e-6)):
            raise ValueError(f"no record of forecasts: band_scale must lie between {LEAST_WIDE} and {MOST_WIDE}")
        if not (np.all(np.isfinite(windows) & (windows >= 0)) and np.all(np.isfinite(gains))):
            raise ValueError("no record of forecasts: windows must be 0 or more, and gain a number")
        return Records(weights[None], scales[None], windows[None], gains[None])


def blank(start: Array, days: int = 1) -> Records:
    """The record of an athlete none of whose forecasts has come due: the starting weights (bucket × method)."""
    buckets = len(BUCKETS)
    return Records(
        np.repeat(start[None], days, axis=0),
        np.ones((days, buckets, len(ANSWERS))),
        np.zeros((days, buckets)),
        np.zeros((days, buckets)),
    )


def join(records: list[Records]) -> Records:
    """The records of several athletes, one after the other."""
    return Records(
        *(np.concatenate([getattr(each, name) for each in records]) for name in Records.__dataclass_fields__)
    )


def follow(rows: Rows, forecaster: "Forecaster", days: Days) -> Records:
    """The records of one athlete as of each of `days` (since 1970-01-01, ascending).

    Args:
        rows: the athlete's origins and targets; those whose target lies later than a day do not touch its record.
    """
    start = forecaster.start
    if not len(rows):
        return blank(start, len(days))
    due = _Due.from_rows(rows, forecaster)
    origin = rows.origin_day.astype("datetime64[D]").astype(np.int64)
    moments, weights = _follow_weights(due, start)
    own_weights = weights[np.searchsorted(moments, origin, side="right"), due.bucket]
    combined = np.sum(own_weights * due.changes, axis=1)
    half_width = methods.mixed(own_weights, due.bands)
    errors = np.column_stack([np.abs(rows.change - combined), np.abs(rows.change)])
    reach = np.column_stack([half_width[:, _BAND_90], due.bands[PERSISTENCE][:, _BAND_90]])
    at, scales = _follow_scales(due, origin, errors, reach)
    score = np.minimum(crps(Predictive(combined, half_width, rows.is_whole), rows.change) / due.unit, MOST_LOSS)
    windows, gains = _evidence(due, score, due.losses[:, METHODS.index(PERSISTENCE)], days)
    return Records(
        weights[np.searchsorted(moments, days, side="right")],
        scales[np.searchsorted(at, days, side="right")],
        windows,
        gains,
    )


def follow_all(asked: Rows, history: Rows, forecaster: "Forecaster") -> Records:
    """The record of each asked row's athlete as of the row's origin, from that athlete's rows in `history`."""
    found = blank(forecaster.start, len(asked))
    for athlete in np.unique(asked.athlete):
        own = np.flatnonzero(asked.athlete == athlete)
        days, day = np.unique(asked.origin_day[own].astype("datetime64[D]").astype(np.int64), return_inverse=True)
        records = follow(history.where(history.athlete == athlete), forecaster, days).at(day)
        for name in Records.__dataclass_fields__:
            getattr(found, name)[own] = getattr(records, name)
    return found


@dataclass(frozen=True)
class _Due:
    """What each method expected of each row, and what it lost.

    Attributes:
        week: of the target, since 1970-01-01.
        bands: half widths, by what is calibrated.
        unit: the athlete's scale (ml/kg/min), in which `losses` are.
    """

    bucket: npt.NDArray[np.intp]
    week: Days
    changes: Array
    bands: Mapping[str, Array]
    unit: Array
    losses: Array

    @staticmethod
    def from_rows(rows: Rows, forecaster: "Forecaster") -> "_Due":
        changes = methods.changes(forecaster, rows.features, rows.horizon_days)
        bands = {name: forecaster.half_width(name, rows.features, rows.horizon_days) for name in forecaster.calibrated}
        unit = forecaster.row_scale(rows)
        losses = np.column_stack(
            [
                crps(Predictive(change, bands[methods.BANDS_OF[name]], rows.is_whole), rows.change) / unit
                for name, change in zip(METHODS, changes.T, strict=True)
            ]
        )
        week = rows.target_day.astype("datetime64[D]").astype(np.int64) // WEEK_DAYS
        return _Due(bucket_index(rows.horizon_days), week, changes, bands, unit, np.minimum(losses, MOST_LOSS))

    def weeks(self) -> tuple[Days, npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.int64]]:
        """Rows by week and bucket: the day each such event is known from, its bucket, rows in order, and starts."""
        key = self.week * len(BUCKETS) + self.bucket
        order = np.argsort(key, kind="stable")
        events, starts = np.unique(key[order], return_index=True)
        return (
            (events // len(BUCKETS) + 1) * WEEK_DAYS - 1,
            (events % len(BUCKETS)).astype(np.intp),
            order,
            np.append(starts, len(key)),
        )


def _follow_weights(due: _Due, start: Array) -> tuple[Days, Array]:
    """The days from which weights hold, and the weights before the first and from each on (by bucket and method)."""
    known_from, buckets, order, starts = due.weeks()
    losses = due.losses[order]
    weights, kept = start.copy(), [start.copy()]
    for index, bucket in enumerate(buckets):
        loss = losses[starts[index] : starts[index + 1]].mean(axis=0)
        counts = _SHARED[bucket] * _WORTH[bucket]
        grown = weights * np.exp(-RATE * counts[:, None] * (loss - loss.min())[None, :])
        share = SHARE * counts[:, None]
        weights = (1.0 - share) * grown / grown.sum(axis=1, keepdims=True) + share * start
        kept.append(weights)
    return known_from, np.array(kept)


def _follow_scales(due: _Due, origin: Days, errors: Array, reach: Array) -> tuple[Days, Array]:
    """The same for what the bands of ANSWERS are multiplied by; a forecast keeps the scale that it was made with."""
    known_from, buckets, order, starts = due.weeks()
    width = np.zeros((len(BUCKETS), len(ANSWERS)))
    kept = np.zeros((len(known_from) + 1, len(BUCKETS), len(ANSWERS)))
    made_at = np.searchsorted(known_from, origin, side="right")
    limits = np.log(LEAST_WIDE), np.log(MOST_WIDE)
    for index, bucket in enumerate(buckets):
        due_rows = order[starts[index] : starts[index + 1]]
        scale = np.exp(kept[made_at[due_rows], bucket])
        missed = (errors[due_rows] > reach[due_rows] * scale + 1e-9).mean(axis=0)
        step = np.array(STEP) * _SHARED[bucket] * _WORTH[bucket]
        width = np.clip(width + step[:, None] * (missed - MISSED)[None, :], *limits)
        kept[index + 1] = width
    return known_from, np.exp(kept)


def _evidence(due: _Due, score: Array, rival: Array, days: Days) -> tuple[Array, Array]:
    """Independent windows, and the relative gain over them, by day and bucket."""
    known_from, buckets, order, starts = due.weeks()
    rows = np.diff(starts)
    by_week = [np.add.reduceat(values[order], starts[:-1]) / rows for values in (score, rival)]
    windows, gains = np.zeros((len(days), len(BUCKETS))), np.zeros((len(days), len(BUCKETS)))
    for index in range(len(BUCKETS)):
        in_bucket = buckets == index
        before = np.searchsorted(known_from[in_bucket], days, side="right")
        ours, theirs = (np.append(0.0, np.cumsum(values[in_bucket]))[before] for values in by_week)
        windows[:, index] = before * _WORTH[index]
        gains[:, index] = np.where(theirs > 0, ours / np.maximum(theirs, 1e-9) - 1.0, 0.0)
    return windows, gains
