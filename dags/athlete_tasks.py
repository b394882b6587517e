"""The tasks that garmin_ingest and garmin_backfill share; what they do stands in `include/ingest`.

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


@task(map_index_template=NAMES, pool=GARMIN_LIVE.name)
@fails_at_once
def fetch_live(batch: Json) -> None:
    """Garmin Connect's answers, exactly as received, into raw/."""
    from functools import cache

    from include.garmin.open import open_source
    from include.garmin.planning import Batch
    from include.ingest import batch as work
    from plugins.operators.athletes import report_to_airflow
    from plugins.operators.aws import client
    from plugins.operators.places import places

    now = datetime.now(UTC)
    opened = cache(lambda spec: open_source(spec, now.date(), client))
    report_to_airflow(work.fetch_live(places(), Batch.from_json(batch), settings().source, opened, now))


@task(map_index_template=NAMES, trigger_rule=TriggerRule.ALL_DONE)
@fails_at_once
def ingest_batch(batch: Json, ti: Any = None) -> None:
    """Files -> raw/ -> tables -> checks -> feature rows, staged; also of athletes that could not be fetched anew."""
    from functools import cache

    from include.garmin.open import open_source
    from include.garmin.planning import Batch
    from include.ingest import batch as work
    from plugins.operators.athletes import report_to_airflow
    from plugins.operators.aws import client
    from plugins.operators.places import places, run_name

    now, athletes = datetime.now(UTC), Batch.from_json(batch)
    opened = cache(lambda spec: open_source(spec, now.date(), client))
    task_of_run = work.Task(run_name(ti), ti.map_index, now)
    report_to_airflow(
        work.ingest_batch(places(), athletes, athletes.file_sources(settings().source), opened, task_of_run)
    )


@task(trigger_rule=TriggerRule.ALL_DONE, outlets=[ATHLETE_FEATURES])
@fails_at_once
def write_features(ti: Any = None) -> Any:
    """Staged rows -> Feature Store, and tell model_build: the failure of some athletes is no reason to wait."""
    from include.features.offline_files import OfflineStore
    from include.ingest.write_features import write_features as write
    from plugins.operators.airflow_sdk import AirflowSkipException
    from plugins.operators.athletes import FAILED, failures, report_to_airflow
    from plugins.operators.aws import client
    from plugins.operators.places import places, run_name

    group = client("sagemaker").describe_feature_group(FeatureGroupName=settings().feature_group)
    written = write(places(), OfflineStore.from_description(group), run_name(ti), lambda: datetime.now(UTC))
    if written.put_at is None:
        report_to_airflow(written.report)
        raise AirflowSkipException("no athlete came through")
    ti.xcom_push(FAILED, failures(written.report))
    yield Metadata(ATHLETE_FEATURES, extra={"put_at": written.put_at.isoformat()})


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
def verdict(ti: Any = None) -> None:
    """Log what will stop an athlete soon; fail, so that the run is seen to, when any failed: the message names each."""
    from plugins.operators.airflow_sdk import AirflowFailException
    from plugins.operators.athletes import failed_tasks, kept_failures, tell_warnings

    tell_warnings(ti)
    failed, lost = kept_failures(ti), failed_tasks(ti)
    if failed or lost:
        reasons = "; ".join(f"{where}: {reason}" for where, reason in failed.items())
        raise AirflowFailException(f"{reasons or 'tasks ended without a word'} (tasks: {', '.join(lost)})")


def from_garmin_to_features(batches: Any, live: Any) -> None:
    """Wire the tasks of a run: its `batches` of athletes, and the `live` ones that Garmin is asked for before."""
    fetch_live.expand(batch=live) >> ingest_batch.expand(batch=batches) >> write_features() >> verdict()
