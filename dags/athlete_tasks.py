"""What garmin_ingest and garmin_backfill share: Garmin -> raw -> tables -> checks -> features, for a batch of athletes.

Tasks hand batches on as JSON (`include.garmin.planning.Batch`). In a batch, one athlete's failure is no other's.
"""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Metadata, task

from dags.assets import ATHLETE_FEATURES
from include.pools import GARMIN_LIVE
from include.settings import settings
from plugins.operators.airflow_sdk import TriggerRule
from plugins.operators.denied import fails_at_once

NAMES = "{{ label }}"
Json = dict[str, Any]


@task(map_index_template=NAMES)
@fails_at_once
def fetch(batch: Json) -> None:
    """Garmin's answers, exactly as received, into raw/."""
    from functools import cache

    from include.garmin.fetching import fetch_athlete, note_fetched
    from include.garmin.open import is_live, open_source
    from include.garmin.planning import Batch
    from plugins.operators.aws import client

    of = Batch.from_json(batch)
    now, s3, bucket = datetime.now(UTC), client("s3"), settings().bucket
    specs = {athlete.athlete_id: athlete.source or settings().source for athlete in of.athletes}
    opened = cache(lambda spec: open_source(spec, now.date(), client))

    def work(athlete: str) -> str:
        live, source = is_live(specs[athlete]), opened(specs[athlete])
        done = fetch_athlete(s3, bucket, source, athlete, of.days, now, live=live, again=of.again)
        if live:
            note_fetched(s3, bucket, athlete, of.days, now.date())
        return str(done)

    _each(of.names, work)


@task
def part_of(plan: dict[str, list[Json]], name: str) -> list[Json]:
    """One list of the plan: Airflow maps a task over nothing less than what another returned."""
    return plan[name]


def fetch_all(planned: Any) -> tuple[list[Any], Any]:
    """The tasks that fetch what a plan (`FetchPlan.as_json`) names, and its batches for what comes after them."""
    files, live, batches = (part_of.override(task_id=name)(planned, name) for name in ("files", "live", "batches"))
    fetched_files = fetch.override(task_id="fetch_files").expand(batch=files)
    fetched_live = fetch.override(task_id="fetch_live", pool=GARMIN_LIVE.name).expand(batch=live)
    return [fetched_files, fetched_live], batches


@task(map_index_template=NAMES, trigger_rule=TriggerRule.ALL_DONE)
@fails_at_once
def curate(batch: Json) -> None:
    """raw/ -> tables in curated/, whole months at a time; also of athletes that could not be fetched anew."""
    from include.curate import context_start, days_start, write_tables
    from include.curate import curate as tables_of
    from include.garmin.planning import Batch
    from include.garmin.raw import read_raw
    from plugins.operators.aws import client

    of, s3, bucket = Batch.from_json(batch), client("s3"), settings().bucket
    since = of.days[0].replace(day=1) if of.days[0] else None

    def work(athlete: str) -> str:
        documents = read_raw(s3, bucket, athlete, *((context_start(since), days_start(since)) if since else ()))
        tables = tables_of(documents, since)
        write_tables(s3, bucket, athlete, tables, tables.since_month)
        rows = ", ".join(f"{len(frame)} {name}" for name, frame in tables.frames().items())
        return f"{rows}; mended: {dict(tables.mends)}; not read: {dict(tables.unread)}"

    _each(of.names, work)


@task(map_index_template=NAMES, trigger_rule=TriggerRule.ALL_DONE)
@fails_at_once
def validate(batch: Json) -> None:
    """Great Expectations: rows that fail go to quarantine/ with the reason; the tables keep what is clean."""
    from airflow.sdk import get_current_context

    from include.curate import read_tables, write_tables
    from include.garmin.planning import Batch
    from include.quality import validate as check
    from include.quality import write_data_docs, write_quarantine
    from plugins.operators.athletes import DataRejected
    from plugins.operators.aws import client

    of, s3, bucket = Batch.from_json(batch), client("s3"), settings().bucket
    since_month = f"{of.days[0]:%Y-%m}" if of.days[0] else None
    checked = check({athlete: read_tables(s3, bucket, athlete) for athlete in of.names})
    context = get_current_context()
    run = f"{context['dag_run'].run_after:%Y%m%dt%H%M%Sz}-{context['ti'].map_index}"
    write_data_docs(s3, bucket, run, checked.data_docs)

    def work(athlete: str) -> str:
        verdict = checked.verdicts[athlete]
        write_quarantine(s3, bucket, athlete, verdict, since_month)
        if verdict.first_rejected_month:
            write_tables(s3, bucket, athlete, verdict.clean, verdict.first_rejected_month)
        if not verdict.success:
            raise DataRejected("; ".join(verdict.failures))
        return f"{verdict.rejected_rows} rows rejected"

    _each(of.names, work)


@task(map_index_template=NAMES, trigger_rule=TriggerRule.ALL_DONE)
@fails_at_once
def features(batch: Json) -> int:
    """Tables -> one row per athlete and day in Feature Store, and the history that the API shows."""
    import json

    from include.curate import read_tables
    from include.features.build import build_features
    from include.features.history import history_document
    from include.features.store import put_rows, rows_to_put
    from include.garmin.planning import Batch
    from include.lake import history_key
    from plugins.operators.aws import client

    of, s3, bucket = Batch.from_json(batch), client("s3"), settings().bucket
    runtime, put = client("sagemaker-featurestore-runtime"), 0

    def work(athlete: str) -> str:
        nonlocal put
        tables = read_tables(s3, bucket, athlete)
        rows = build_features(tables)
        if rows.empty:
            return "no data, so no features"
        body = json.dumps(history_document(tables, rows)).encode()
        s3.put_object(Bucket=bucket, Key=history_key(athlete), Body=body, ContentType="application/json")
        new = rows_to_put(runtime, settings().feature_group, rows, of.days[0])
        put += put_rows(runtime, settings().feature_group, new)
        return f"{len(new)} rows put"

    _each(of.names, work)
    return put


@task(trigger_rule=TriggerRule.ALL_DONE, outlets=[ATHLETE_FEATURES])
@fails_at_once
def announce(ti: Any = None) -> Any:
    """Tell model_build, when any athlete came through: the failure of others is no reason to wait."""
    from include.features.as_of import note_last_put
    from plugins.operators.airflow_sdk import AirflowSkipException
    from plugins.operators.aws import client

    done = [_said(ti, *mapped, "done") for mapped in _mapped(ti) if mapped[0] == "batch.features"]
    if not any(done):
        raise AirflowSkipException("no athlete came through")
    put_at = datetime.now(UTC)
    note_last_put(client("s3"), settings().bucket, settings().feature_group, put_at)
    yield Metadata(ATHLETE_FEATURES, extra={"put_at": put_at.isoformat()})


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
def verdict(ti: Any = None) -> None:
    """Fail, so that the run is seen to, when any athlete failed anywhere; the message names each."""
    from plugins.operators.airflow_sdk import AirflowFailException

    failed = {
        f"{athlete} in {task_id.removeprefix('batch.')}": reason
        for task_id, index in _mapped(ti)
        for athlete, reason in (_said(ti, task_id, index, "failed") or {}).items()
    }
    lost = sorted(name for name, state in _states(ti).items() if state in ("failed", "upstream_failed"))
    if failed or lost:
        reasons = "; ".join(f"{where}: {reason}" for where, reason in failed.items())
        raise AirflowFailException(f"{reasons or 'tasks ended without a word'} (tasks: {', '.join(lost)})")


def _each(names: list[str], work: Any) -> None:
    """Work on the batch; names and failures are told to the UI and to `verdict`."""
    from airflow.sdk import get_current_context

    from plugins.operators.airflow_sdk import AirflowFailException
    from plugins.operators.athletes import AthletesFailed, for_each

    context = get_current_context()
    outcome = for_each(names, work)
    context["label"] = outcome.label  # type: ignore[typeddict-unknown-key] # for map_index_template
    context["ti"].xcom_push("done", len(outcome.done))
    context["ti"].xcom_push("failed", outcome.failed)
    if outcome.failure:
        raise (AthletesFailed if outcome.retry_helps else AirflowFailException)(outcome.failure)


def _states(ti: Any) -> dict[str, str | None]:
    """State of every task of the run; a mapped task is named `task_id_index`."""
    return dict(ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id])


def _mapped(ti: Any) -> list[tuple[str, int]]:
    """Task id and map index of every mapped task of the run."""
    split = [name.rpartition("_") for name in _states(ti)]
    return [(task_id, int(index)) for task_id, _, index in split if index.isdigit()]


def _said(ti: Any, task_id: str, index: int, key: str) -> Any:
    """What a mapped task said under `key`; None when it ended without a word."""
    return ti.xcom_pull(task_ids=task_id, key=key, map_indexes=index)
