"""The Airflow pools that the DAGs use.

Whoever sets Airflow up makes them, before the first run: a task whose pool is missing is never started.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pool:
    """A pool and how many of its tasks may run at once, in all runs of all DAGs together."""

    name: str
    slots: int
    description: str

    @property
    def command(self) -> str:
        """The command of Airflow's CLI that makes the pool."""
        return f"airflow pools set {self.name} {self.slots} '{self.description}'"


GARMIN_LIVE = Pool("garmin_live", 1, "Asks Garmin Connect itself")
"""Tasks that ask Garmin Connect: each keeps to one request a second, and so do all of them together."""
POOLS = (GARMIN_LIVE,)
