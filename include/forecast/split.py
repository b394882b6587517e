"""Train | calibration | test by two calendar days, the same for every athlete."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from include.forecast.rows import Pairs, Rows

SHARES = (0.6, 0.2, 0.2)
ENOUGH_ORIGINS = 15
"""Distinct origin days with which an athlete counts fully in a fold."""
FOLDS = ("train", "calibration", "test")
EMBARGO = "embargo"
"""Rows that reach across a cut: no fold learns from them or is tested on them; an athlete's own record needs them."""


@dataclass(frozen=True)
class Cuts:
    """First origin day of the calibration and of the test fold."""

    calibration: date
    test: date


def choose_cuts(rows: Rows | Pairs) -> Cuts | None:
    """The months' firsts that leave most athletes useful in every fold, and then shares nearest to SHARES.

    Only days and counts are looked at, never a reading. Athletes of different years share few days: a cut that gives
    one more athlete to a fold counts more than the shares. None where no cut leaves every fold some origin.
    """
    if not len(rows):
        return None
    month = rows.origin_day.astype("datetime64[M]")
    months = np.arange(month.min(), month.max() + 1).astype("datetime64[D]")
    origins = list(origins_by_athlete(rows).values())
    before = np.array([np.searchsorted(days, months, side="left") for days in origins], dtype=float)
    total = np.array([[len(days)] for days in origins], dtype=float)
    first, second = np.triu_indices(len(months), k=1)
    folds = np.stack([before[:, first], before[:, second] - before[:, first], total - before[:, second]])
    useful = np.minimum(folds / ENOUGH_ORIGINS, 1.0).sum(axis=1)
    value = np.cbrt(useful.prod(axis=0))
    if not len(value) or value.max() <= 0:
        return None
    share = (folds / np.maximum(total, 1)).mean(axis=1)
    distance = np.abs(share - np.array(SHARES)[:, None]).sum(axis=0)
    best = int(np.argmax(value - 0.5 * distance))
    if useful[:, best].min() <= 0:
        best = int(np.argmax(value))
    return Cuts(months[first[best]].item(), months[second[best]].item())


def origins_by_athlete(rows: Rows | Pairs) -> dict[str, npt.NDArray[np.datetime64]]:
    """The distinct origin days of each athlete, in order."""
    names, number = np.unique(rows.athlete, return_inverse=True)
    day = rows.origin_day.astype("datetime64[D]").astype(np.int64)
    span = int(day.max() - day.min()) + 1 if len(day) else 1
    owner, offset = np.divmod(np.unique(number * span + day - (day.min() if len(day) else 0)), span)
    days = (offset + (day.min() if len(day) else 0)).astype("datetime64[D]")
    parts = np.split(days, np.searchsorted(owner, np.arange(1, len(names))))
    return dict(zip((str(name) for name in names), parts, strict=False))


def split[R: (Rows, Pairs)](rows: R, cuts: Cuts) -> dict[str, R]:
    """The three folds; a row whose origin and target lie in different folds is in none of them, but in EMBARGO."""
    edges = np.array([cuts.calibration, cuts.test], dtype="datetime64[D]")
    origin = np.searchsorted(edges, rows.origin_day, side="right")
    target = np.searchsorted(edges, rows.target_day, side="right")
    folds = {name: rows.where((origin == fold) & (target == fold)) for fold, name in enumerate(FOLDS)}
    return folds | {EMBARGO: rows.where(origin != target)}


def leaks(train: Rows, calibration: Rows, test: Rows, cuts: Cuts) -> list[str]:
    """What is wrong with a split, in words; empty when no row looks past its cut."""
    first, second = np.datetime64(cuts.calibration), np.datetime64(cuts.test)
    found = []
    if (train.target_day >= first).any():
        found.append(f"train has targets on or after the calibration cut {cuts.calibration}")
    if (calibration.target_day >= second).any() or (calibration.origin_day < first).any():
        found.append(f"calibration reaches past its cuts {cuts.calibration} and {cuts.test}")
    if (test.origin_day < second).any():
        found.append(f"test has origins before the test cut {cuts.test}")
    if any((fold.target_day <= fold.origin_day).any() for fold in (train, calibration, test)):
        found.append("a target does not lie after its origin")
    return found
