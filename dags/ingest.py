"""garmin_ingest: Garmin Connect -> raw JSON -> tables -> checks -> Feature Store, for every athlete."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, task, task_group

from dags.athlete_tasks import Json, announce, curate, features, fetch_all, validate, verdict
from dags.policy import DEFAULT_ARGS, TAGS
from include.settings import settings
from plugins.operators.airflow_sdk import CronDataIntervalTimetable
from plugins.operators.denied import fails_at_once


@task
@fails_at_once
def plan(params: Any = None, dag_run: Any = None, data_interval_start: Any = None) -> dict[str, list[Json]]:
    """The athletes of this run, in batches, the days to fetch of each batch, and which of them ask Garmin."""
    from include.garmin.fetching import first_day_to_fetch
    from include.garmin.planning import batched, plan_days
    from include.garmin.registry import chosen_athletes
    from plugins.operators.aws import client

    s3, bucket = client("s3"), settings().bucket
    days = window(params, dag_run.run_type, data_interval_start)
    batches = batched(chosen_athletes(s3, bucket, params["athletes"]), days)
    start, end = days
    if dag_run.run_type == "scheduled" and start is not None:
        firsts = [first_day_to_fetch(s3, bucket, batch.names, start) for batch in batches]
        batches = [replace(batch, days=(first, end)) for batch, first in zip(batches, firsts, strict=True)]
    return plan_days(batches, settings().source).as_json()


def window(params: Any, run_type: str, interval_start: datetime | None) -> tuple[date | None, date | None]:
    """Days given as parameters count first; else a scheduled run has its own day and LATE_SYNC_DAYS before it."""
    from include.garmin.fetching import LATE_SYNC_DAYS

    given = [date.fromisoformat(params[name]) if params[name] else None for name in ("from", "to")]
    if any(given) or run_type == "manual" or interval_start is None:
        return given[0], given[1]
    return interval_start.date() - timedelta(days=LATE_SYNC_DAYS), interval_start.date()


@task_group(group_id="batch")
def from_raw_to_features(batch: Json) -> None:
    """A failed athlete does not keep the others of its batch from the next step."""
    curate(batch) >> validate(batch) >> features(batch)


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime.combine(settings().schedule_start, datetime.min.time(), UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=[*TAGS, "ingest"],
    params={
        "athletes": Param([], type="array", items={"type": "string"}, description="Ids; none for all athletes"),
        "from": Param(None, type=["null", "string"], format="date", description="First day; by hand none for all"),
        "to": Param(None, type=["null", "string"], format="date", description="Last day; by hand none for all"),
    },
)
def garmin_ingest() -> None:
    """
    ### What it does
    Every day, for every athlete of `config/athletes.json`: fetch the day and the three before it (after an outage also
    the days that were missed) → keep the answers in `raw/` → write the tables of the months concerned → check them →
    put the features of these days, and of earlier ones that the feature group lacks (it is new, or puts broke off). By
    hand without dates: all that the source holds. History by month: `garmin_backfill`.

    ### When it fails
    * The message of `verdict` names each failed athlete, the step and the reason; the label of the batch in the grid
      names them too. The others are done, and `model_build` was told.
    * *LoginNeeded*: Garmin no longer takes the athlete's tokens. Run the command in the message on a laptop; the next
      run fetches what was missed.
    * *TooManyRequests*: Garmin asked to be left alone. Nothing is lost: the next run goes on where this one stopped.
    * *UnknownAthlete*: the id in `config/athletes.json` is none of the source. *DataRejected* in `validate`: see
      `quality/` and `quarantine/` in the bucket, by athlete.
    * `fetch_live` stays *scheduled*: another run asks Garmin, or the pool is missing. Make it once:
      `airflow pools set garmin_live 1 'Asks Garmin Connect itself'`.
    * Every step can be cleared and run again: raw answers are written once, months and features are rewritten whole.
    """
    fetched, batches = fetch_all(plan())
    fetched >> from_raw_to_features.expand(batch=batches) >> announce() >> verdict()


garmin_ingest()
