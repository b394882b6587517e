"""Values in another unit than the one they are told in, mended by named rules or, where no unit fits, left out.

Which stretches of a history are in kJ or centimetres is decided month by month, from that month and the
CONTEXT_MONTHS before it (see `months`). A single value that nobody could reach needs no stretch.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from include.curate import units
from include.curate.clock import in_order
from include.curate.days import GRAMS_PER_KG
from include.curate.mends import Mends
from include.curate.months import CONTEXT_MONTHS, NO_MONTH, month_of, months_before

Row = dict[str, Any]
Month = tuple[int, int, int]
"""Where a month's context begins, where it begins itself and where it ends, in a history in order."""

OWN_STRENGTH = frozenset({"running", "cycling", "walking", "hiking", "swimming"})
"""Sports in which nothing but legs lifts the athlete, and distance is covered: not lifts, not climbing walls."""
FASTEST_LIFT_MPS = 2.0
"""A day of nothing but gondolas, up and down again, climbs less."""
SHORTEST = 60.0
"""Below 60 s or 60 m a ratio says nothing."""
LONG_S, FASTEST_LONG_BURN_KCAL_PER_S = 2 * 3600.0, 22.0 / 60
"""Two hours of 22 kcal/min are 370 W on the pedals: beyond a stage of the Tour de France."""
LIGHTEST_KG = 2.0
"""Below it a weight that was taken for grams was in kilograms: nobody weighs 70 g, and nobody 2 000 kg."""
TENFOLD = 10.0
TENFOLD_WITHIN = 0.03


def mend_units(rows: Sequence[Row], mends: Mends, since_month: str | None) -> None:
    """Bring energy, climb and speed to kcal, metres and m/s, in place, in the months from `since_month` on.

    Rows without a day are left as they are. The climb of what a motor, the wind or a fall carries says nothing: an
    aircraft climbs faster than any athlete or lift, in whatever unit.
    """
    in_real_world = [row for row in rows if not row.get("_is_virtual") and not row.get("_is_carried")]
    in_virtual_world = [row for row in rows if row.get("_is_virtual")]
    _mend(rows, units.KJ, mends, since_month)
    # A virtual ride's climb comes from the app that made it up, whatever unit the watch writes.
    _mend(in_real_world, units.CM, mends, since_month)
    _mend(in_virtual_world, units.CM, mends, since_month)
    for row in rows:
        if since_month is None or month_of(row["day"]) >= since_month:
            _mend_speed(row, mends)


def mend_days(rows: list[Row], mends: Mends) -> list[Row]:
    """Bring weights to kilograms, in place: Garmin tells grams, and tools that write its files tell kilograms."""
    for row in rows:
        weight_kg = row.get("weight_kg")
        if weight_kg is not None and weight_kg < LIGHTEST_KG:
            row["weight_kg"] = weight_kg * GRAMS_PER_KG
            mends.count("weight_told_in_kg_mended", row["day"])
    return rows


def _mend(rows: Sequence[Row], rule: units.UnitRule, mends: Mends, since_month: str | None) -> None:
    history, months = _by_month(rows, since_month)
    ratios = np.array([_ratio(row, rule) for row in history], dtype=np.float64)
    surely = np.array([_surely(row, rule) for row in history], dtype=bool)
    for context, start, stop in months:
        is_foreign = units.foreign(ratios[context:stop], rule, surely[context:stop])[start - context :]
        for row in (history[start + index] for index in np.flatnonzero(is_foreign)):
            if not row.get(rule.value):
                continue
            mended = {**row, rule.value: row[rule.value] / rule.factor}
            impossible = _surely(mended, rule) or _ratio(mended, rule) > rule.impossible
            row[rule.value] = None if impossible else mended[rule.value]
            mends.count(f"{rule.value}_impossible_left_out" if impossible else rule.name, row["day"])


def _by_month(rows: Sequence[Row], since_month: str | None) -> tuple[list[Row], list[Month]]:
    """The history in order of month and start, and where in it each month from `since_month` on lies."""
    by_month: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_month[month_of(row["day"])].append(row)
    by_month.pop(NO_MONTH, None)
    history: list[Row] = []
    begins: dict[str, int] = {}
    for month in sorted(by_month):
        begins[month] = len(history)
        history += in_order(by_month[month])
    return history, list(_spans(begins, len(history), since_month))


def _spans(begins: dict[str, int], length: int, since_month: str | None) -> Iterator[Month]:
    months = sorted(begins)
    ends = [*(begins[month] for month in months), length][1:]
    for month, end in zip(months, ends, strict=True):
        if since_month is None or month >= since_month:
            first = months_before(month, CONTEXT_MONTHS)
            yield next(begins[each] for each in months if each >= first), begins[month], end


def _ratio(row: Row, rule: units.UnitRule) -> float:
    """NaN where it says nothing: too short, or a climb that is not of the athlete's own strength."""
    value, per = row.get(rule.value), row.get(rule.per)
    if value is None or per is None or per < SHORTEST or (rule is units.CM and row["sport"] not in OWN_STRENGTH):
        return float("nan")
    return float(value / per)


def _surely(row: Row, rule: units.UnitRule) -> bool:
    """Whether a value by itself is beyond any athlete, by how long it took."""
    value, seconds = row.get(rule.value), row.get("duration_s")
    if value is None or seconds is None or seconds < SHORTEST:
        return False
    if rule is units.KJ:
        return bool(seconds >= LONG_S and value / seconds > FASTEST_LONG_BURN_KCAL_PER_S)
    return bool(value / seconds > (units.FASTEST_CLIMB_MPS if row["sport"] in OWN_STRENGTH else FASTEST_LIFT_MPS))


def _mend_speed(row: Row, mends: Mends) -> None:
    """The speed of the account export is written divided by ten; distance over time tells where that was not so."""
    speed, metres, seconds = row.get("avg_speed_mps"), row.get("distance_m"), row.get("duration_s")
    if not speed or not metres or not seconds or min(metres, seconds) < SHORTEST:
        return
    for factor in (TENFOLD, 1 / TENFOLD):
        if abs(speed / (metres / seconds) / factor - 1) <= TENFOLD_WITHIN:
            row["avg_speed_mps"] = speed / factor
            mends.count("avg_speed_tenfold_mended", row["day"])
