"""What a validation says of one athlete's tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from include.curate.months import NO_MONTH
from include.curate.tables import Tables
from include.quality.limits import Severity

SHOWN_CHECKS = 5


class DataRejected(Exception):
    """An athlete's data is not fit to be used; the message says why."""


@dataclass(frozen=True)
class FailedCheck:
    """A rule that some rows of an athlete's table break.

    Attributes:
        rows: how many rows break it.
        checked: of how many that tell something of it.
        samples: some of these rows: which row it is, and its value.
    """

    athlete_id: str
    table: str
    rule: str
    severity: Severity
    rows: int
    checked: int
    samples: tuple[str, ...] = ()

    def __str__(self) -> str:
        samples = f", such as {'; '.join(self.samples)}" if self.samples else ""
        return f"{self.athlete_id}: {self.table}: {self.rule}: {self.rows} of {self.checked} ({self.severity}){samples}"


@dataclass(frozen=True)
class Verdict:
    """Clean and rejected rows add up to what was checked.

    Attributes:
        rejected: by table, the rejected rows with a `reason` column; tables without any are absent.
        left_out: by table, the rows of which single values were left out, as they came, with a `reason` column; they
            stand among the clean rows without these values.
        checks: the rules that were broken.
    """

    clean: Tables
    rejected: Mapping[str, pd.DataFrame]
    left_out: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    checks: tuple[FailedCheck, ...] = ()

    @property
    def failures(self) -> tuple[str, ...]:
        """Why the data as a whole is not to be used; empty when it is fine."""
        return tuple(str(check) for check in self.checks if check.severity == Severity.STOP)

    @property
    def success(self) -> bool:
        return not self.failures

    @property
    def first_rejected_month(self) -> str | None:
        """`YYYY-MM` of the first month that loses a row or a value (NO_MONTH: only rows without a day do), or None."""
        months = [month for rows in self._put_aside() for month in rows["day"].dt.strftime("%Y-%m").fillna(NO_MONTH)]
        return min(months, default=None)

    @property
    def rejected_rows(self) -> int:
        return sum(len(rows) for rows in self.rejected.values())

    def __str__(self) -> str:
        values = sum(len(rows) for rows in self.left_out.values())
        text = f"{self.rejected_rows} rows rejected, values left out in {values}"
        shown = "; ".join(str(check) for check in self.checks[:SHOWN_CHECKS])
        more = len(self.checks) - SHOWN_CHECKS
        return text + (f": {shown}" if shown else "") + (f"; and {more} checks more" if more > 0 else "")

    def _put_aside(self) -> Iterator[pd.DataFrame]:
        yield from self.rejected.values()
        yield from self.left_out.values()


@dataclass(frozen=True)
class Validation:
    """One run over many athletes."""

    verdicts: Mapping[str, Verdict]
    data_docs: Mapping[str, str]
    """Great Expectations' result page (HTML) by table."""
