"""Work on many athletes in one task: one athlete's failure is told by name, and the others go on.

A mapped task an athlete would show the same, but costs the scheduler a task for each of hundreds of athletes.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

ATHLETES_PER_BATCH = 25
MIN_BATCHES = 2
"""So that two workers share the work of few athletes."""


class AthletesFailed(Exception):
    """The work failed for some of the athletes; the message names them, each with the reason."""


@dataclass
class Outcome:
    """What became of each athlete of a batch."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Reason by athlete."""

    @property
    def label(self) -> str:
        """How Airflow's UI names the batch: the athletes, the failed ones first and marked."""
        marked = [f"FAILED {athlete}" for athlete in self.failed]
        return ", ".join([*marked, *self.done])

    def raise_for_failures(self) -> None:
        """Raises AthletesFailed when there are any."""
        if self.failed:
            reasons = "; ".join(f"{athlete}: {reason}" for athlete, reason in self.failed.items())
            total = len(self.failed) + len(self.done)
            raise AthletesFailed(f"{len(self.failed)} of {total} athletes failed, the others are done. {reasons}")


def batches(athletes: Sequence[str], per_batch: int = ATHLETES_PER_BATCH) -> list[list[str]]:
    """Athletes in even batches of at most `per_batch`, in their order; [] for none."""
    count = max(min(MIN_BATCHES, len(athletes)), -(-len(athletes) // per_batch))
    return [list(athletes[i * len(athletes) // count : (i + 1) * len(athletes) // count]) for i in range(count)]


def for_each(athletes: Sequence[str], work: Callable[[str], str]) -> Outcome:
    """Do `work` for every athlete; it returns what it did, for the log."""
    outcome = Outcome()
    for athlete in athletes:
        try:
            told = work(athlete)
        except Exception as error:
            log.exception("%s failed", athlete)
            outcome.failed[athlete] = f"{type(error).__name__}: {error}"[:300]
        else:
            log.info("%s: %s", athlete, told)
            outcome.done.append(athlete)
    return outcome
