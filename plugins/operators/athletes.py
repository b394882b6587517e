"""Work on many athletes in one task: one athlete's failure is told by name, and the others go on.

A mapped task an athlete would show the same, but costs the scheduler a task for each of hundreds of athletes.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from include.garmin.document import SourceError, TooManyRequests
from plugins.operators.denied import is_denied

log = logging.getLogger(__name__)


class AthletesFailed(Exception):
    """The work failed for some of the athletes; the message names them, each with the reason."""


class DataRejected(Exception):
    """An athlete's data is not fit to be used; the message says why."""


FINAL = (SourceError, DataRejected)
"""Failures that the next try would meet again, besides what IAM denies."""


@dataclass
class Outcome:
    """What became of each athlete of a batch."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Reason by athlete."""
    retry_helps: bool = False
    """Whether any failure is one that another try may not meet."""

    @property
    def label(self) -> str:
        """How Airflow's UI names the batch: the athletes, the failed ones first and marked."""
        marked = [f"FAILED {athlete}" for athlete in self.failed]
        return ", ".join([*marked, *self.done])

    @property
    def failure(self) -> str | None:
        """All failures in one text; None when there are none."""
        if not self.failed:
            return None
        reasons = "; ".join(f"{athlete}: {reason}" for athlete, reason in self.failed.items())
        total = len(self.failed) + len(self.done)
        return f"{len(self.failed)} of {total} athletes failed, the others are done. {reasons}"

    def note(self, athlete: str, error: Exception) -> None:
        """Take a failure down."""
        self.failed[athlete] = f"{type(error).__name__}: {error}"[:300]
        self.retry_helps = self.retry_helps or not (isinstance(error, FINAL) or is_denied(error))


def for_each(athletes: Sequence[str], work: Callable[[str], str]) -> Outcome:
    """Do `work` for every athlete; it returns what it did, for the log.

    When Garmin asks to be left alone, those that come after are not tried.
    """
    outcome = Outcome()
    for number, athlete in enumerate(athletes):
        try:
            told = work(athlete)
        except TooManyRequests as error:
            for left in athletes[number:]:
                outcome.note(left, error)
            log.warning("%s: %s", athlete, error)
            break
        except FINAL as error:
            log.error("%s failed: %s", athlete, error)
            outcome.note(athlete, error)
        except Exception as error:
            log.exception("%s failed", athlete)
            outcome.note(athlete, error)
        else:
            log.info("%s: %s", athlete, told)
            outcome.done.append(athlete)
    return outcome
