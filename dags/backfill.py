"""garmin_backfill: years of history into raw, by month where Garmin is asked, then once through tables and features."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, dag, task

from dags.athlete_tasks import Json, from_garmin_to_features
from dags.policy import DEFAULT_ARGS, TAGS
from include.settings import settings
from plugins.operators.airflow_sdk import CronDataIntervalTimetable
from plugins.operators.denied import fails_at_once

if TYPE_CHECKING:
    from include.garmin.registry import Athlete

Days = tuple[date | None, date | None]
ONLY_RAW = "raw"
"""As a source: nothing is fetched, tables and features are made anew from what raw holds."""


@task
@fails_at_once
def plan(
    params: Any = None, dag_run: Any = None, data_interval_start: Any = None, data_interval_end: Any = None
) -> list[Json]:
    """The athletes of this run, in batches; files are read anew unless the source is ONLY_RAW."""
    from include.garmin.planning import batched

    days = window(params, dag_run.run_type, data_interval_start, data_interval_end)
    reads_files = params["source"] != ONLY_RAW
    flags = {"again": params["again"], "accept_fewer": params["accept_fewer"]}
    batches = batched(_athletes(params), days, reads_files=reads_files, **flags)
    return [batch.as_json() for batch in batches]


@task
@fails_at_once
def plan_live(
    params: Any = None, dag_run: Any = None, data_interval_start: Any = None, data_interval_end: Any = None
) -> list[Json]:
    """What Garmin Connect itself is asked for, a month after the other, the newest first."""
    from include.garmin.document import SourceError
    from include.garmin.planning import live_months
    from plugins.operators.airflow_sdk import AirflowFailException

    if params["source"] == ONLY_RAW:
        return []
    days = window(params, dag_run.run_type, data_interval_start, data_interval_end)
    today = datetime.now(UTC).date()
    try:
        months = live_months(_athletes(params), settings().source, days, today, again=params["again"])
    except SourceError as error:
        raise AirflowFailException(str(error)) from error
    return [batch.as_json() for batch in months]


def _athletes(params: Any) -> "list[Athlete]":
    """The athletes of the run, with the source that its form gives them, or else their own."""
    from include.garmin.document import SourceError
    from include.garmin.open import open_source
    from include.garmin.registry import Athlete, chosen_athletes
    from plugins.operators.airflow_sdk import AirflowFailException
    from plugins.operators.aws import client

    names, source = params["athletes"], params["source"]
    if not source or source == ONLY_RAW:
        return chosen_athletes(client("s3"), settings().bucket, names)
    try:
        found = names or open_source(source, datetime.now(UTC).date(), client).athletes()
    except SourceError as error:
        raise AirflowFailException(str(error)) from error
    return [Athlete(name, source) for name in found]


def window(params: Any, run_type: str, interval_start: datetime | None, interval_end: datetime | None) -> Days:
    """Days given as parameters count first; else by hand it is all there is, and any other run has its month."""
    given = [date.fromisoformat(params[name]) if params[name] else None for name in ("from", "to")]
    if any(given) or run_type == "manual" or interval_start is None or interval_end is None:
        return given[0], given[1]
    return interval_start.date(), interval_end.date() - timedelta(days=1)


@dag(
    schedule=CronDataIntervalTimetable("0 3 1 * *", timezone="UTC"),
    start_date=datetime(2010, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=[*TAGS, "ingest"],
    params={
        "source": Param(
            None,
            type=["null", "string"],
            description="export:s3://bucket/key.zip, export:PATH, garminexport:DIR, folder:PATH, garminconnect, …; "
            "none: each athlete's own; raw: fetch nothing, rebuild tables and features from raw",
        ),
        "athletes": Param([], type="array", items={"type": "string"}, description="Ids; none for all athletes"),
        "from": Param(None, type=["null", "string"], format="date", description="First day; none for all (files)"),
        "to": Param(None, type=["null", "string"], format="date", description="Last day; none for today"),
        "accept_fewer": Param(
            False, type="boolean", description="Let a month of the tables lose most of its rows (see RowsLost)"
        ),
        "again": Param(False, type="boolean", description="Ask Garmin also for what raw holds already"),
    },
)
def garmin_backfill() -> None:
    """
    ### What it does
    Loads history: by hand with the form (a source, days, athletes), or with Airflow's own backfill, where every run has
    a month. On its schedule it looks once a month for what the month past still lacks. Files (account export, backup,
    folder) are read side by side; Garmin itself is asked one month after the other, newest first, and never for what
    `raw/` holds (but with *again*). Then `ingest_batch` makes tables, checks and features once, and `write_features`
    writes the rows of all athletes to the offline store in bulk. Source `raw` fetches nothing and makes them anew from
    `raw/`.

    ### When it fails
    * The message of `verdict` names each failed athlete, the step and the reason. All that came is kept: start the same
      run again (or clear the failed tasks) and it goes on where it stopped.
    * *LoginNeeded*, *KeyNeeded*: run the command in the message on a laptop, then clear the failed tasks.
    * *TooManyRequests*: Garmin asked to be left alone; clear the failed tasks after the time that the message says.
    * *RowsLost*: a month of the tables would lose most of its rows, so nothing was changed. The message names athlete,
      table and month. Look at the source first; if the rows are right to go, run this with *accept_fewer*.
    * *SourceError*: the file or setting in the message is not what was expected.
    * `fetch_live` stays *scheduled*: another run asks Garmin, or the pool is missing. Make it once:
      `airflow pools set garmin_live 1 'Asks Garmin Connect itself'`.
    """
    from_garmin_to_features(plan(), plan_live())


garmin_backfill()
