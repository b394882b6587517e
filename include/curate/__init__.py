"""Raw JSON into three tables, one unit each: activities, days, vo2max."""

from include.curate.build import curate
from include.curate.months import context_start, days_start
from include.curate.store import read_tables, write_tables
from include.curate.tables import Tables

__all__ = ["Tables", "context_start", "curate", "days_start", "read_tables", "write_tables"]
