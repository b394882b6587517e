"""What Airflow 3.0 keeps elsewhere, or means otherwise, than 3.1 and later: the DAGs import it from here.

Everything else they import from `airflow.sdk` itself, which has it in every 3.x.
"""

from typing import TYPE_CHECKING

from airflow import __version__

if not TYPE_CHECKING and __version__.startswith("3.0."):
    from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
    from airflow.timetables.interval import CronDataIntervalTimetable
    from airflow.utils.trigger_rule import TriggerRule

    DOUBLING_BACKOFF = True
else:
    from airflow.sdk import CronDataIntervalTimetable, TriggerRule
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

    DOUBLING_BACKOFF: float = 2
    """For `retry_exponential_backoff`: each delay is twice the one before. Airflow 3.0 knows no other factor."""

__all__ = [
    "DOUBLING_BACKOFF",
    "AirflowException",
    "AirflowFailException",
    "AirflowSkipException",
    "CronDataIntervalTimetable",
    "TriggerRule",
]
