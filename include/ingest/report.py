"""What became of each athlete of a batch: one athlete's failure is noted by name, and the others go on."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from include.curate import RowsLost
from include.garmin.document import SourceError, TooManyRequests
from include.quality.verdict import DataRejected

log = logging.getLogger(__name__)

FINAL = (SourceError, DataRejected, RowsLost)
"""Failures that the next try would meet again."""


@dataclass(frozen=True)
class Failure:
    """Why one step failed for one athlete."""

    athlete_id: str
    step: str
    error: Exception

    @property
    def reason(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"[:300]


@dataclass
class Report:
    """The athletes that came through, and every failure."""

    done: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What will stop an athlete soon and can still be prevented, one sentence each."""

    def warn(self, sentences: Iterable[str]) -> None:
        """Log warnings and keep them."""
        for sentence in sentences:
            log.warning("%s", sentence)
            self.warnings.append(sentence)

    def for_each[T](self, athlete_ids: Iterable[str], step: str, work: Callable[[str], T]) -> dict[str, T]:
        """Do `work` for every athlete; the results of those for whom it did not fail.

        When Garmin asks to be left alone, those that come after are not tried.
        """
        results: dict[str, T] = {}
        remaining: Sequence[str] = list(athlete_ids)
        for number, athlete_id in enumerate(remaining):
            try:
                results[athlete_id] = work(athlete_id)
            except TooManyRequests as error:
                log.warning("%s in %s: %s", athlete_id, step, error)
                self.failures += [Failure(left, step, error) for left in remaining[number:]]
                break
            except FINAL as error:
                log.error("%s failed in %s: %s", athlete_id, step, error)
                self.failures.append(Failure(athlete_id, step, error))
            except Exception as error:
                log.exception("%s failed in %s", athlete_id, step)
                self.failures.append(Failure(athlete_id, step, error))
            else:
                if results[athlete_id] is not None:
                    log.info("%s: %s: %s", athlete_id, step, results[athlete_id])
        return results
