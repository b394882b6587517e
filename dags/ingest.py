"""garmin_ingest: Garmin Connect -> raw JSON -> tables -> checks -> Feature Store, for every athlete."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, dag, task

from dags.athlete_tasks import Json, from_garmin_to_features
from dags.policy import DEFAULT_ARGS, TAGS
from include.settings import settings
from plugins.operators.airflow_sdk import CronDataIntervalTimetable
from plugins.operators.denied import fails_at_once

if TYPE_CHECKING:
    from include.garmin.planning import Batch


@task
@fails_at_once
def plan(params: Any = None, dag_run: Any = None, data_interval_start: Any = None) -> list[Json]:
    """The athletes of this run, in batches, with the days to fetch of each batch."""
    return [batch.as_json() for batch in _batches(params, dag_run, data_interval_start)]


@task
@fails_at_once
def plan_live(params: Any = None, dag_run: Any = None, data_interval_start: Any = None) -> list[Json]:
    """Those of the batches, and of their athletes, for which Garmin Connect itself is asked."""
    from include.garmin.planning import live_part

    batches = _batches(params, dag_run, data_interval_start)
    return [batch.as_json() for batch in live_part(batches, settings().source)]


def _batches(params: Any, dag_run: Any, interval_start: datetime | None) -> "list[Batch]":
    from include.garmin.fetching import from_first_missed_day
    from include.garmin.planning import batched
    from include.garmin.registry import chosen_athletes
    from plugins.operators.aws import client

    s3, bucket = client("s3"), settings().bucket
    days = window(params, dag_run.run_type, interval_start)
    batches = batched(chosen_athletes(s3, bucket, params["athletes"]), days)
    return from_first_missed_day(s3, bucket, batches) if dag_run.run_type == "scheduled" else batches


def window(params: Any, run_type: str, interval_start: datetime | None) -> tuple[date | None, date | None]:
    """Days given as parameters count first; else a scheduled run has its own day and LATE_SYNC_DAYS before it."""
    from include.garmin.fetching import LATE_SYNC_DAYS

    given = [date.fromisoformat(params[name]) if params[name] else None for name in ("from", "to")]
    if any(given) or run_type == "manual" or interval_start is None:
        return given[0], given[1]
    return interval_start.date() - timedelta(days=LATE_SYNC_DAYS), interval_start.date()


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
    build the features of these days, and of earlier ones that the feature group lacks (it is new, or puts broke off).
    `fetch_live` asks Garmin Connect; `ingest_batch` does all else for a batch of athletes, files included;
    `write_features` writes the rows of all batches to the offline store in bulk, then each athlete's newest row online.
    By hand without dates: all that the source holds. History by month: `garmin_backfill`.

    ### When it fails
    * The message of `verdict` names each failed athlete, the step and the reason; the label of the batch in the grid
      names them too. The others are done, and `model_build` was told.
    * *LoginNeeded*: Garmin no longer takes the athlete's tokens. Run the command in the message on a laptop; the next
      run fetches what was missed.
    * *KeyNeeded*: the athlete's key of Garmin's Personal API ended or was revoked. Make a new one and run the command
      in the message. `verdict` warns in its log a week before, where the end of the key is known.
    * *TooManyRequests*: Garmin asked to be left alone. Nothing is lost: the next run goes on where this one stopped.
    * *UnknownAthlete*: the id in `config/athletes.json` is none of the source. *DataRejected* in step *validate*: see
      `quality/` and `quarantine/` in the bucket, by athlete.
    * `fetch_live` stays *scheduled*: another run asks Garmin, or the pool is missing. Make it once:
      `airflow pools set garmin_live 1 'Asks Garmin Connect itself'`.
    * Every task can be cleared and run again: raw answers are written once, months are rewritten whole, and of a
      feature row that is there twice the later one counts. `write_features` puts what `ingest_batch` staged, and skips
      when nothing is: to put the rows of a run that succeeded once more, clear `ingest_batch` with it.
    """
    from_garmin_to_features(plan(), plan_live())


garmin_ingest()
