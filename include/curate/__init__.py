"""Raw JSON into three tables, one unit each: activities, days, vo2max."""

from include.curate.build import curate
from include.curate.months import context_start, days_start, needs_all
from include.curate.store import RowsLost, first_month_to_rewrite, joined, read_tables, write_tables
from include.curate.tables import Tables

__all__ = [
    "RowsLost",
    "Tables",
    "context_start",
    "curate",
    "days_start",
    "first_month_to_rewrite",
    "joined",
    "needs_all",
    "read_tables",
    "write_tables",
]
