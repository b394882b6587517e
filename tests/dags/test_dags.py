"""Every DAG parses, keeps the project's policies, and is wired as written down here."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

from dags.backfill import garmin_backfill
from dags.build import model_build
from dags.deploy import model_deploy
from dags.ingest import garmin_ingest
from include.pools import GARMIN_LIVE, POOLS
from plugins.operators import denied

ROOT = Path(__file__).parents[2]
FILES = sorted(path for path in (ROOT / "dags").glob("*.py") if path.stem != "__init__")
DAGS = {dag.dag_id: dag for dag in (garmin_ingest(), garmin_backfill(), model_build(), model_deploy())}
HEAVY = ("pandas", "numpy", "great_expectations", "xgboost", "sagemaker", "pyarrow", "moto")

FROM_GARMIN_TO_FEATURES = {
    "plan": ["ingest_batch"],
    "plan_live": ["fetch_live"],
    "fetch_live": ["ingest_batch"],
    "ingest_batch": ["write_features"],
    "write_features": ["verdict"],
    "verdict": [],
}
EDGES = {
    "garmin_ingest": FROM_GARMIN_TO_FEATURES,
    "garmin_backfill": FROM_GARMIN_TO_FEATURES,
    "model_build": {
        "plan": ["evaluation_request", "gate", "wait_for_offline_store"],
        "wait_for_offline_store": ["preprocess"],
        "preprocess": ["train"],
        "train": ["evaluation_request"],
        "evaluation_request": ["evaluate"],
        "evaluate": ["gate"],
        "gate": ["approve", "register"],
        "register": ["approve"],
        "approve": [],
    },
    "model_deploy": {
        "choose": ["roll_back", "serving_stack", "wait_for_endpoint"],
        "serving_stack": ["smoke_test", "start_endpoint"],
        "start_endpoint": ["wait_for_endpoint"],
        "wait_for_endpoint": ["roll_back", "smoke_test"],
        "smoke_test": ["roll_back", "served"],
        "roll_back": [],
        "served": [],
    },
}


@pytest.fixture(params=sorted(DAGS))
def dag(request: pytest.FixtureRequest) -> DAG:
    return DAGS[request.param]


def test_the_dag_ids_are_those_of_the_design() -> None:
    assert sorted(DAGS) == ["garmin_backfill", "garmin_ingest", "model_build", "model_deploy"]


def test_the_wiring_is_as_written_down(dag: DAG) -> None:
    assert {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} == EDGES[dag.dag_id]


def test_policies(dag: DAG) -> None:
    assert "fitness-forecast" in dag.tags
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert dag.doc_md
    assert "### When it fails" in dag.doc_md
    for task in dag.tasks:
        assert task.owner == "fitness-forecast", task.task_id
        if task.task_id != "verdict":  # it only tells what failed
            assert task.retries >= 2, task.task_id
            assert task.retry_exponential_backoff, task.task_id


def test_no_task_that_calls_aws_is_tried_again_where_iam_denies_it(dag: DAG) -> None:
    ours = inspect.getsourcefile(denied)
    without: list[str] = []
    for task in dag.tasks:
        if (function := python_callable(task)) is None:
            calls_aws, is_final = not isinstance(task, EmptyOperator), isinstance(task, denied.FailsAtOnce)
        else:
            calls_aws, is_final = "client(" in inspect.getsource(function), function.__code__.co_filename == ours
        without += [task.task_id] * (calls_aws and not is_final)
    assert without == []


def python_callable(task: Any) -> Any:
    """The function of a TaskFlow task, also of a mapped one; None for an operator."""
    return getattr(task, "python_callable", None) or getattr(task, "partial_kwargs", {}).get("python_callable")


def test_the_chain_runs_over_assets() -> None:
    produced = {task.task_id: outlet.name for dag in DAGS.values() for task in dag.tasks for outlet in task.outlets}
    assert produced == {"write_features": "athlete_features", "approve": "approved_model"}
    assert [asset.name for asset in DAGS["model_build"].schedule] == ["athlete_features"]
    assert [asset.name for asset in DAGS["model_deploy"].schedule] == ["approved_model"]


@pytest.mark.parametrize("dag_id", ["garmin_ingest", "garmin_backfill"])
def test_a_run_owns_its_days(dag_id: str) -> None:
    assert isinstance(DAGS[dag_id].schedule, CronDataIntervalTimetable)


def test_all_tasks_that_ask_garmin_share_one_slot_and_no_other_task_waits_for_it() -> None:
    pools = {(dag_id, task.task_id): task.pool for dag_id, dag in DAGS.items() for task in dag.tasks}
    live = {key for key, pool in pools.items() if pool == GARMIN_LIVE.name}
    assert live == {("garmin_ingest", "fetch_live"), ("garmin_backfill", "fetch_live")}
    assert GARMIN_LIVE.slots == 1
    assert DAGS["garmin_ingest"].get_task("fetch_live").pool_slots == 1


def test_every_pool_is_one_that_is_made_and_the_docs_of_its_dag_say_how() -> None:
    made = {pool.name: pool for pool in POOLS}
    for dag in DAGS.values():
        for name in {task.pool for task in dag.tasks} - {"default_pool"}:
            assert made[name].command in " ".join((dag.doc_md or "").split())


def test_jobs_are_deferred_and_their_logs_not_polled() -> None:
    jobs = [DAGS["model_build"].get_task(name) for name in ("preprocess", "train", "evaluate")]
    assert all(job.deferrable for job in jobs)
    assert DAGS["model_build"].get_task("train").print_log is False


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_file_imports_nothing_heavy_and_calls_no_aws(path: Path) -> None:
    """No clock here: what costs is an import or a call, and both are seen without one."""
    code = f"""
import runpy, sys
import airflow.sdk
from airflow.providers.amazon.aws.operators import eventbridge, sagemaker
before = set(sys.modules)
import botocore.client, botocore.session
def refuse(*_, **__):
    raise AssertionError("AWS was asked for at parse time")
botocore.client.ClientCreator.create_client = refuse
botocore.session.Session.create_client = refuse
runpy.run_path({str(path)!r})
after = set(sys.modules) - before
print([name for name in {HEAVY!r} if name in after])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "[]"


def test_plugins_are_kept_light() -> None:
    """Airflow imports whatever the plugins folder does not ignore, in every process."""
    assert "operators/" in (ROOT / "plugins/.airflowignore").read_text().splitlines()
    unguarded = [path for path in (ROOT / "plugins").glob("*.py") if path.stem != "__init__"]
    assert unguarded == []
