"""Counts of what the rules mended or left out."""

from collections import Counter

from include.curate.months import month_of


class Mends:
    """How often each named rule was used, by the month of the row: a run that writes some months tells of these."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, rule: str, day: str | None) -> None:
        """Note that `rule` was used on a row of `day`."""
        self._counts[rule, month_of(day)] += 1

    def since(self, month: str | None) -> dict[str, int]:
        """The counts of all rows of `month` or later (None: all), by rule in order of name."""
        totals: Counter[str] = Counter()
        for (rule, of_month), count in self._counts.items():
            if month is None or of_month >= month:
                totals[rule] += count
        return dict(sorted(totals.items()))
