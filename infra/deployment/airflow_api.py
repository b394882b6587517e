"""A client of Airflow's REST API v2: what a deployment needs of it, whatever carries its requests."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from include.pools import Pool
from infra.deployment.airflow_transport import AirflowRefused, AirflowTransport, AirflowUnreachable, Query

ENDED = ("success", "failed")
REFUSALS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
"""Answers that stay the same when the request is repeated."""
ASKED_AGAIN_AFTER_S = 0.5
BY_HAND = "manual__"
"""What the ids of runs begin with that are started by hand, by Airflow's own rule."""
ENDED_TASK = ("success", "skipped", "failed", "upstream_failed")
BUSY_TASK = ("running", "queued", "deferred", "up_for_retry")


class RunFailed(Exception):
    """A DAG run ended as failed, or did not come or end in time."""

    def __init__(self, message: str, dag_id: str, run_id: str | None = None) -> None:
        super().__init__(message)
        self.dag_id = dag_id
        self.run_id = run_id


@dataclass(frozen=True)
class Run:
    """One run of a DAG. `due_at` is Airflow's `run_after`."""

    run_id: str
    state: str
    due_at: datetime

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("queued", "running")


@dataclass(frozen=True)
class TaskState:
    """One try of one task."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int


class AirflowApi:
    """Calls are repeated while the API server is away: it may have been started anew.

    Args:
        transport: carries the requests.
        patience_s: how long a server that does not answer is asked again.
    """

    def __init__(self, transport: AirflowTransport, patience_s: float = 90) -> None:
        self._transport = transport
        self._patience_s = patience_s

    def health(self) -> dict[str, str]:
        """{component: status} of metadatabase, scheduler, triggerer and dag_processor; {} while nobody answers."""
        try:
            answer = self._transport.request("GET", "/monitor/health")
        except AirflowUnreachable:
            return {}
        if answer.status != HTTPStatus.OK or not isinstance(answer.body, dict):
            return {}
        return {name: str(part.get("status")) for name, part in answer.body.items() if isinstance(part, dict)}

    def dag_is_known(self, dag_id: str) -> bool:
        """Whether the DAG processor has found the DAG."""
        return self._send("GET", f"/dags/{dag_id}", missing_is_none=True) is not None

    def import_errors(self) -> dict[str, str]:
        """{file: stack trace} of DAG files that do not import."""
        found = self._get("/importErrors")["import_errors"]
        return {row["filename"]: row["stack_trace"] for row in found}

    def unpause(self, dag_id: str) -> None:
        """Let the schedule, and whoever triggers the DAG, start its runs."""
        self._send("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Start no more runs of the DAG; one that is unknown has none."""
        self._send("PATCH", f"/dags/{dag_id}", json={"is_paused": True}, missing_is_none=True)

    def make_pool(self, pool: Pool) -> None:
        """Make a pool; one that is there keeps its slots."""
        if self._send("GET", f"/pools/{pool.name}", missing_is_none=True) is None:
            body = {"name": pool.name, "slots": pool.slots, "description": pool.description}
            self._send("POST", "/pools", json=body)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run by hand; its id."""
        run_id = f"{BY_HAND}{datetime.now(UTC):%Y%m%dt%H%M%S%f}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        return str(self._send("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def runs(self, dag_id: str, since: datetime | None = None) -> list[Run]:
        """Runs, newest first; with `since` those that became due from that moment on."""
        query = {"order_by": "-run_after", "limit": "20"}
        if since is not None:
            query["run_after_gte"] = since.astimezone(UTC).isoformat()
        found = self._get(f"/dags/{dag_id}/dagRuns", **query)["dag_runs"]
        return [Run(row["dag_run_id"], row["state"], datetime.fromisoformat(row["run_after"])) for row in found]

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """The tasks of a run, mapped ones each."""
        # Asked for by a body and not by a path, as is the state of a run by its list: MWAA takes no path of more than
        # 64 characters, and the id of a run that an asset triggered has nearly as many.
        body = {"dag_ids": [dag_id], "dag_run_ids": [run_id], "page_limit": 100}
        found = self._send("POST", "/dags/~/dagRuns/~/taskInstances/list", json=body)["task_instances"]
        return [TaskState(t["task_id"], t["map_index"], t["state"], t["try_number"]) for t in found]

    def log_tail(self, dag_id: str, run_id: str, task: TaskState, lines: int = 25) -> list[str]:
        """The last lines of a task's log; [] where there is none, or where MWAA cannot be asked for it."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{task.try_number}"
        query: Query = {"map_index": task.map_index, "full_content": "true"}
        try:
            answer = self._send("GET", path, params=query, missing_is_none=True)
        except AirflowRefused:
            return []
        content = (answer or {}).get("content", [])
        return [line for entry in content for line in _log_lines(entry)][-lines:]

    def first_run(self, dag_id: str, since: datetime, timeout_s: float, sleep: Callable[[float], None]) -> str:
        """Wait for the first run of a DAG that became due since a moment; its id."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if found := self.runs(dag_id, since):
                return found[-1].run_id
            sleep(0.5)
        raise RunFailed(f"{dag_id} was not started within {timeout_s:.0f} s", dag_id)

    def follow(
        self,
        dag_id: str,
        run_id: str,
        timeout_s: float,
        detail: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> str:
        """Wait for the end of a run, telling which tasks run; its final state (`success`, `failed`)."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            state = next((run.state for run in self.runs(dag_id) if run.run_id == run_id), "unknown")
            if state in ENDED:
                return state
            detail(_summary(self.tasks(dag_id, run_id)))
            sleep(0.5)
        raise RunFailed(f"run {run_id} of {dag_id} did not end within {timeout_s:.0f} s", dag_id, run_id)

    def _get(self, path: str, **query: str) -> Any:
        return self._send("GET", path, params=query)

    def _send(
        self,
        method: str,
        path: str,
        *,
        missing_is_none: bool = False,
        params: Query | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> Any:
        """The body of the answer; asked again while the server is away or fails.

        Raises:
            AirflowRefused: the answer is a refusal.
            AirflowUnreachable: the server was away for longer than the patience lasts.
        """
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                answer = self._transport.request(method, path, params=params, json=json)
                if answer.status == HTTPStatus.NOT_FOUND and missing_is_none:
                    return None
                if answer.status < HTTPStatus.BAD_REQUEST:
                    return answer.body
                problem = f"Airflow answered {answer.status} to {method} {path}: {_detail(answer.body)}"
                if answer.status in REFUSALS:
                    raise AirflowRefused(problem)
                raise AirflowUnreachable(problem)
            except AirflowUnreachable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(ASKED_AGAIN_AFTER_S)


def _detail(body: Any) -> str:
    """What an error document says, in a line."""
    return " ".join(str(body.get("detail", body) if isinstance(body, dict) else body).split())[:300]


def _log_lines(entry: Any) -> list[str]:
    """A log entry as text, with the traceback that it carries."""
    if isinstance(entry, str):
        return [entry]
    lines = [f"{entry.get('level', '')}: {entry.get('event', '')}".removeprefix(": ")]
    for error in entry.get("error_detail") or []:
        lines += [f"    {f['filename']}:{f['lineno']} in {f['name']}" for f in error.get("frames", [])[-4:]]
        lines.append(f"    {error.get('exc_type')}: {error.get('exc_value')}")
    return lines


def _summary(tasks: list[TaskState]) -> str:
    ended = sum(task.state in ENDED_TASK for task in tasks)
    busy = sorted({task.task_id for task in tasks if task.state in BUSY_TASK})
    failed = sorted({task.task_id for task in tasks if task.state == "failed"})
    parts = [f"{ended} of {len(tasks)} tasks"]
    parts += [f"now {', '.join(busy)}"] if busy else []
    parts += [f"failed {', '.join(failed)}"] if failed else []
    return ", ".join(parts)
