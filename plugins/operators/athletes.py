"""What Airflow is told of a batch of athletes: its label in the grid, its failures by name, whether to try again.

A mapped task an athlete would show the same, but costs the scheduler a task for each of hundreds of athletes.
"""

import logging
from typing import Any

from include.ingest.report import FINAL, Report
from plugins.operators.denied import is_denied

log = logging.getLogger(__name__)


class AthletesFailed(Exception):
    """The work failed for some of the athletes; the message names them, each with step and reason."""


FAILED = "failed"
"""Key of the XCom that holds a task's failures, a text an athlete and step."""
ASKS_GARMIN = "fetch_live"
"""The task whose source may foresee what will stop it."""
WARNED = "warned"
"""Key of the XCom that holds a task's warnings, where it has any."""
LABEL = "label"
"""Name in the task's context that `map_index_template` shows."""


def label(report: Report) -> str:
    """The athletes of a batch, the failed ones first and marked."""
    failed = dict.fromkeys(failure.athlete_id for failure in report.failures)
    return ", ".join([*(f"FAILED {name}" for name in failed), *(n for n in report.done if n not in failed)])


def failures(report: Report) -> dict[str, str]:
    """The reason of each failure by athlete and step, as `verdict` tells it."""
    return {f"{failure.athlete_id} in {failure.step}": failure.reason for failure in report.failures}


def retry_helps(report: Report) -> bool:
    """Whether another try may not meet every failure again: some are final, and what IAM denies stays denied."""
    return any(not (isinstance(f.error, FINAL) or is_denied(f.error)) for f in report.failures)


def report_to_airflow(report: Report) -> None:
    """Show a report in Airflow's grid and keep its failures for `verdict`; fail the task where there are any.

    Raises:
        AthletesFailed: some athletes failed, and another try may help.
        AirflowFailException: some athletes failed, and no other try helps.
    """
    from airflow.sdk import get_current_context

    from plugins.operators.airflow_sdk import AirflowFailException

    context = get_current_context()
    context[LABEL] = label(report)  # type: ignore[literal-required]
    context["ti"].xcom_push(FAILED, failures(report))
    if report.warnings:
        context["ti"].xcom_push(WARNED, report.warnings)
    if not report.failures:
        return
    failed = {failure.athlete_id for failure in report.failures}
    reasons = "; ".join(f"{where}: {reason}" for where, reason in failures(report).items())
    message = f"{len(failed)} of {len(failed.union(report.done))} athletes failed, the others are done. {reasons}"
    raise (AthletesFailed if retry_helps(report) else AirflowFailException)(message)


def kept_failures(ti: Any) -> dict[str, str]:
    """All failures that the tasks of this run kept by `report_to_airflow`."""
    found: dict[str, str] = {}
    for task_id, map_index in _task_instances(ti):
        found |= ti.xcom_pull(task_ids=task_id, key=FAILED, map_indexes=map_index) or {}
    return found


def tell_warnings(ti: Any) -> None:
    """Log the warnings of this run where a person looks first, and keep them with the task that sums the run up."""
    warnings = kept_warnings(ti)
    for sentence in warnings:
        log.warning("%s", sentence)
    if warnings:
        ti.xcom_push(WARNED, warnings)


def kept_warnings(ti: Any) -> list[str]:
    """All warnings of this run: each is of a task that asked Garmin, whether that succeeded or not."""
    asking = sorted(name for name in _states(ti) if name.startswith(ASKS_GARMIN))
    found: list[str] = []
    for name in asking:
        index = name.removeprefix(ASKS_GARMIN).lstrip("_")
        found += ti.xcom_pull(task_ids=ASKS_GARMIN, key=WARNED, map_indexes=int(index) if index.isdigit() else -1) or []
    return list(dict.fromkeys(found))


def failed_tasks(ti: Any) -> list[str]:
    """Names of the run's failed tasks; a mapped one has its index at the end."""
    return sorted(name for name, state in _states(ti).items() if state in ("failed", "upstream_failed"))


def _states(ti: Any) -> dict[str, str | None]:
    """State of every task of the run; a mapped task is named `task_id_index`."""
    return dict(ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id])


def _task_instances(ti: Any) -> list[tuple[str, int]]:
    """Task id and map index (-1: not mapped) of the run's tasks; mapped ones that succeeded have nothing to tell."""
    found = []
    for name, state in _states(ti).items():
        task_id, _, index = name.rpartition("_")
        if not index.isdigit():
            found.append((name, -1))
        elif state != "success":
            found.append((task_id, int(index)))
    return found
