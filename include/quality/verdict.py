"""What a validation says of one athlete's tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from include.curate.months import NO_MONTH
from include.curate.tables import Tables


class DataRejected(Exception):
    """An athlete's data is not fit to be used; the message says why."""


@dataclass(frozen=True)
class Verdict:
    """Clean and rejected rows add up to what was checked.

    Attributes:
        rejected: by table, the rejected rows with a `reason` column; tables without any are absent.
        failures: why the tables as a whole are not to be used; empty when they are fine.
    """

    clean: Tables
    rejected: Mapping[str, pd.DataFrame]
    failures: tuple[str, ...] = ()

    @property
    def success(self) -> bool:
        return not self.failures

    @property
    def first_rejected_month(self) -> str | None:
        """`YYYY-MM` of the first month that loses a row; NO_MONTH when only rows without a day are lost; or None."""
        months = [
            month for rows in self.rejected.values() for month in rows["day"].dt.strftime("%Y-%m").fillna(NO_MONTH)
        ]
        return min(months, default=None)

    @property
    def rejected_rows(self) -> int:
        return sum(len(rows) for rows in self.rejected.values())

    def __str__(self) -> str:
        return f"{self.rejected_rows} rows rejected"


@dataclass(frozen=True)
class Validation:
    """One run over many athletes."""

    verdicts: Mapping[str, Verdict]
    data_docs: Mapping[str, str]
    """Great Expectations' result page (HTML) by table."""
