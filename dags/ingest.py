"""garmin_ingest: Garmin Connect -> raw JSON -> tables -> checks -> Feature Store, for every athlete."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Metadata, Param, TriggerRule, dag, task, task_group

from dags.assets import ATHLETE_FEATURES
from dags.policy import DEFAULT_ARGS, TAGS
from include.settings import settings

LATE_SYNC_DAYS = 3
"""A watch may be synced days late: a scheduled run reads so many days before its own again."""
NAMES = "{{ label }}"
STAGES = ("fetch", "curate", "validate", "features")


@task
def athletes(params: Any = None) -> list[list[str]]:
    """The athletes of this run, in batches."""
    import json

    from include.lake import ATHLETES_KEY
    from plugins.operators.athletes import batches
    from plugins.operators.aws import client

    chosen = params["athletes"]
    if not chosen:
        body = client("s3").get_object(Bucket=settings().bucket, Key=ATHLETES_KEY)["Body"].read()
        chosen = json.loads(body)["athletes"]
    return batches(chosen)


@task(map_index_template=NAMES)
def fetch(names: list[str]) -> None:
    """Garmin's answers, exactly as received, into raw/."""
    from include.garmin.open import open_source
    from include.garmin.raw import write_raw
    from plugins.operators.aws import client

    start, end = _window()
    now = datetime.now(UTC)
    source, s3 = open_source(settings().source, now.date()), client("s3")

    def work(athlete: str) -> str:
        return str(write_raw(s3, settings().bucket, athlete, source.fetch(athlete, start, end), now))

    _each(names, work)


@task(map_index_template=NAMES, trigger_rule=TriggerRule.ALL_DONE)
def curate(names: list[str]) -> None:
    """raw/ -> tables in curated/, whole months at a time; also of athletes that could not be fetched anew."""
    from include.curate import curate as tables_of
    from include.curate import write_tables
    from include.garmin.raw import read_raw
    from plugins.operators.aws import client

    start, _ = _window()
    since, s3 = start and start.replace(day=1), client("s3")

    def work(athlete: str) -> str:
        tables = tables_of(read_raw(s3, settings().bucket, athlete, since))
        write_tables(s3, settings().bucket, athlete, tables, since and f"{since:%Y-%m}")
        return ", ".join(f"{len(frame)} {name}" for name, frame in tables.frames().items())

    _each(names, work)


@task(map_index_template=NAMES, trigger_rule=TriggerRule.ALL_DONE)
def validate(names: list[str]) -> None:
    """Great Expectations: rows that fail go to quarantine/ with the reason; the tables keep what is clean."""
    from airflow.sdk import get_current_context

    from include.curate import read_tables, write_tables
    from include.quality import validate as check
    from include.quality import write_data_docs, write_quarantine
    from plugins.operators.aws import client

    s3, bucket = client("s3"), settings().bucket
    checked = check({athlete: read_tables(s3, bucket, athlete) for athlete in names})
    context = get_current_context()
    run = f"{context['dag_run'].run_after:%Y%m%dt%H%M%Sz}-{context['ti'].map_index}"
    write_data_docs(s3, bucket, run, checked.data_docs)

    def work(athlete: str) -> str:
        verdict = checked.verdicts[athlete]
        write_quarantine(s3, bucket, athlete, verdict)
        if verdict.rejected_rows:
            write_tables(s3, bucket, athlete, verdict.clean, None)
        if not verdict.success:
            raise ValueError("; ".join(verdict.failures))
        return f"{verdict.rejected_rows} rows rejected"

    _each(names, work)


@task(map_index_template=NAMES, trigger_rule=TriggerRule.ALL_DONE)
def features(names: list[str]) -> int:
    """Tables -> one row per athlete and day in Feature Store, and the history that the API shows."""
    import json

    from include.curate import read_tables
    from include.features.build import build_features
    from include.features.history import history_document
    from include.features.schema import EVENT_TIME
    from include.features.store import put_rows
    from include.lake import history_key
    from plugins.operators.aws import client

    start, _ = _window()
    s3, runtime = client("s3"), client("sagemaker-featurestore-runtime")
    put = 0

    def work(athlete: str) -> str:
        nonlocal put
        tables = read_tables(s3, settings().bucket, athlete)
        rows = build_features(tables)
        if rows.empty:
            return "no data, so no features"
        body = json.dumps(history_document(tables, rows)).encode()
        s3.put_object(Bucket=settings().bucket, Key=history_key(athlete), Body=body, ContentType="application/json")
        new = rows if start is None else rows[rows[EVENT_TIME] >= f"{start}"]
        put += put_rows(runtime, settings().feature_group, new)
        return f"{len(new)} rows put"

    _each(names, work)
    return put


@task_group
def batch(names: list[str]) -> None:
    """A failed athlete does not keep the others of its batch from the next step."""
    fetch(names) >> curate(names) >> validate(names) >> features(names)


@task(trigger_rule=TriggerRule.ALL_DONE, outlets=[ATHLETE_FEATURES])
def announce(in_batches: Any, ti: Any = None) -> Any:
    """Tell model_build, when any athlete came through: the failure of others is no reason to wait."""
    from airflow.sdk.exceptions import AirflowSkipException

    done = _pulled(ti, "features", "done", len(in_batches))
    if not any(done):
        raise AirflowSkipException("no athlete came through")
    yield Metadata(ATHLETE_FEATURES, extra={"put_at": datetime.now(UTC).isoformat()})


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
def verdict(in_batches: Any, ti: Any = None) -> None:
    """Fail, so that the run is seen to, when any athlete failed anywhere; the message names each."""
    from airflow.sdk.exceptions import AirflowFailException

    failed = {
        f"{athlete} in {stage}": reason
        for stage in STAGES
        for outcome in _pulled(ti, stage, "failed", len(in_batches))
        for athlete, reason in (outcome or {}).items()
    }
    states = ti.get_task_states(dag_id=ti.dag_id, task_group_id="batch", run_ids=[ti.run_id])[ti.run_id]
    lost = sorted(task for task, state in states.items() if state != "success")
    if failed or lost:
        reasons = "; ".join(f"{where}: {reason}" for where, reason in failed.items())
        raise AirflowFailException(f"{reasons or 'tasks ended without a word'} (tasks: {', '.join(lost)})")


def _pulled(ti: Any, stage: str, key: str, count: int) -> list[Any]:
    """What the tasks of one stage said under `key`, by batch; None of those that said nothing."""
    return [ti.xcom_pull(task_ids=f"batch.{stage}", key=key, map_indexes=index) for index in range(count)]


def _window() -> tuple[Any, Any]:
    """First and last day to fetch; None is all there is."""
    from airflow.sdk import get_current_context

    context = get_current_context()
    return window(context["params"], context["dag_run"].run_type, context.get("data_interval_start"))


def window(params: Any, run_type: str, interval_start: datetime | None) -> tuple[Any, Any]:
    """Days given as parameters count first; else a scheduled run has its own day and LATE_SYNC_DAYS before it."""
    from datetime import date

    given = [date.fromisoformat(params[name]) if params[name] else None for name in ("from", "to")]
    if any(given) or run_type == "manual" or interval_start is None:
        return given[0], given[1]
    return interval_start.date() - timedelta(days=LATE_SYNC_DAYS), interval_start.date()


def _each(names: list[str], work: Any) -> None:
    """Work on the batch; names and failures are told to the UI and to `verdict`."""
    from airflow.sdk import get_current_context

    from plugins.operators.athletes import for_each

    context = get_current_context()
    outcome = for_each(names, work)
    context["label"] = outcome.label  # type: ignore[typeddict-unknown-key] # for map_index_template
    context["ti"].xcom_push("done", len(outcome.done))
    context["ti"].xcom_push("failed", outcome.failed)
    outcome.raise_for_failures()


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
    Every day, for every athlete of `config/athletes.json`: fetch the day and the three before it → keep the answers in
    `raw/` → write the tables of the months concerned → check them → put the features. By hand without dates: all that
    the source holds.

    ### When it fails
    * The message of `verdict` names each failed athlete, the step and the reason; the label of the batch in the grid
      names them too. The others are done, and `model_build` was told.
    * *UnknownAthlete*: the id in `config/athletes.json` is none of the source. *ValueError* in `validate`: see
      `quality/` and `quarantine/` in the bucket, by athlete.
    * Every step can be cleared and run again: raw answers are written once, months and features are rewritten whole.
    """
    in_batches = athletes()
    through = batch.expand(names=in_batches)
    announced = announce(in_batches)
    through >> announced >> verdict(in_batches)


garmin_ingest()
