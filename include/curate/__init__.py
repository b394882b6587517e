"""Raw JSON into three tables, one unit each: activities, days, vo2max."""

from include.curate.build import curate
from include.curate.store import read_tables, write_tables
from include.curate.tables import Tables

__all__ = ["Tables", "curate", "read_tables", "write_tables"]
