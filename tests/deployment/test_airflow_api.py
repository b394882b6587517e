"""Against a small HTTP server that answers as Airflow's API does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from include.pools import GARMIN_LIVE
from infra.deployment.airflow_api import AirflowApi, RunFailed, TaskState
from infra.deployment.airflow_http import airflow_at
from infra.deployment.airflow_transport import AirflowRefused, AirflowUnreachable

Replies = dict[tuple[str, str], list[tuple[int, Any]]]


class FakeAirflow(ThreadingHTTPServer):
    replies: Replies
    seen: list[tuple[str, str, str | None, Any]]


class Handler(BaseHTTPRequestHandler):
    server: FakeAirflow

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization"), body))
        if path == "/auth/token":
            status, document = 201, {"access_token": "t"}
        else:
            replies = self.server.replies[self.command, path]
            status, document = replies.pop(0) if len(replies) > 1 else replies[0]
        sent = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_PATCH = _answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def airflow() -> Iterator[FakeAirflow]:
    server = FakeAirflow(("127.0.0.1", 0), Handler)
    server.replies, server.seen = {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def api(airflow: FakeAirflow) -> AirflowApi:
    return airflow_at(f"http://127.0.0.1:{airflow.server_address[1]}", patience_s=5)


RUNS = "/api/v2/dags/garmin_ingest/dagRuns"
RUN = f"{RUNS}/r1"
TASKS = "/api/v2/dags/~/dagRuns/~/taskInstances/list"


def runs(state: str) -> dict[str, Any]:
    """A list of runs, as the API answers it."""
    rows = [("r1", state), ("r0", "failed")]
    due_at = "2026-11-01T06:00:00Z"
    return {"dag_runs": [{"dag_run_id": name, "state": held, "run_after": due_at} for name, held in rows]}


def test_a_run_by_hand_is_triggered_with_its_token_and_without_a_date(airflow: FakeAirflow, api: AirflowApi) -> None:
    airflow.replies["POST", "/api/v2/dags/garmin_ingest/dagRuns"] = [(200, {"dag_run_id": "r1"})]
    assert api.trigger("garmin_ingest", {"athletes": ["a"]}) == "r1"
    method, _, token, body = airflow.seen[-1]
    assert (method, token) == ("POST", "Bearer t")
    run_id = body.pop("dag_run_id")
    assert run_id.startswith("manual__") and len(f"/dags/garmin_ingest/dagRuns/{run_id}") <= 64  # MWAA takes no more
    assert body == {"logical_date": None, "conf": {"athletes": ["a"]}}


def test_a_run_is_followed_to_its_end_and_its_tasks_told(airflow: FakeAirflow, api: AirflowApi) -> None:
    airflow.replies["GET", RUNS] = [(200, runs("running")), (500, {}), (200, runs("success"))]
    tasks = [
        {"task_id": "plan", "map_index": -1, "state": "success", "try_number": 1},
        {"task_id": "ingest_batch", "map_index": 0, "state": "running", "try_number": 1},
        {"task_id": "verdict", "map_index": -1, "state": None, "try_number": 0},
    ]
    airflow.replies["POST", TASKS] = [(200, {"task_instances": tasks})]
    told: list[str] = []
    assert api.follow("garmin_ingest", "r1", 10, told.append, sleep=lambda _: None) == "success"
    assert told == ["1 of 3 tasks, now ingest_batch"]


def test_a_run_that_does_not_end_fails_with_its_name(airflow: FakeAirflow, api: AirflowApi) -> None:
    airflow.replies["GET", RUNS] = [(200, runs("running"))]
    airflow.replies["POST", TASKS] = [(200, {"task_instances": []})]
    with pytest.raises(RunFailed, match="r1 of garmin_ingest did not end"):
        api.follow("garmin_ingest", "r1", 0.2, lambda _: None)


def test_a_new_token_is_asked_for_when_the_old_one_is_refused(airflow: FakeAirflow, api: AirflowApi) -> None:
    airflow.replies["GET", "/api/v2/dags/d"] = [(401, {}), (200, {"dag_id": "d"})]
    assert api.dag_is_known("d")
    assert [path for _, path, _, _ in airflow.seen].count("/auth/token") == 2


def test_an_unknown_dag_is_no_error(airflow: FakeAirflow, api: AirflowApi) -> None:
    airflow.replies["GET", "/api/v2/dags/d"] = [(404, {"detail": "no"})]
    assert not api.dag_is_known("d")


def test_a_refusal_is_not_repeated(airflow: FakeAirflow, api: AirflowApi) -> None:
    airflow.replies["POST", "/api/v2/dags/d/dagRuns"] = [(409, {"detail": "exists"})]
    with pytest.raises(AirflowRefused, match=r"409.*exists"):
        api.trigger("d")
    assert [method for method, *_ in airflow.seen].count("POST") == 1


def test_nobody_there_is_no_health(api: AirflowApi) -> None:
    assert airflow_at("http://127.0.0.1:9").health() == {}


def test_a_server_that_stays_away_is_named(api: AirflowApi) -> None:
    with pytest.raises(AirflowUnreachable, match=r"127\.0\.0\.1:9"):
        airflow_at("http://127.0.0.1:9", patience_s=0.1).dag_is_known("d")


def test_pausing_a_dag_that_is_unknown_is_no_error(airflow: FakeAirflow, api: AirflowApi) -> None:
    airflow.replies["PATCH", "/api/v2/dags/d"] = [(404, {"detail": "no"})]
    api.pause("d")
    assert airflow.seen[-1][3] == {"is_paused": True}


def test_the_tail_of_a_log_holds_the_traceback(airflow: FakeAirflow, api: AirflowApi) -> None:
    entries = [
        {"event": "first", "level": "info"},
        {
            "event": "Task failed with exception",
            "level": "error",
            "error_detail": [
                {
                    "exc_type": "ValueError",
                    "exc_value": "bad",
                    "frames": [{"filename": "x.py", "lineno": 3, "name": "f"}],
                }
            ],
        },
    ]
    airflow.replies["GET", f"{RUN}/taskInstances/ingest_batch/logs/2"] = [(200, {"content": entries})]
    lines = api.log_tail("garmin_ingest", "r1", TaskState("ingest_batch", 0, "failed", 2), lines=3)
    assert lines == ["error: Task failed with exception", "    x.py:3 in f", "    ValueError: bad"]
    assert "map_index=0" in airflow.seen[-1][1]


def test_a_pool_is_made_once_and_keeps_the_slots_that_a_person_gave_it(airflow: FakeAirflow, api: AirflowApi) -> None:
    place = f"/api/v2/pools/{GARMIN_LIVE.name}"
    airflow.replies["GET", place] = [(404, {}), (200, {"name": GARMIN_LIVE.name, "slots": 3})]
    airflow.replies["POST", "/api/v2/pools"] = [(201, {})]
    api.make_pool(GARMIN_LIVE)
    api.make_pool(GARMIN_LIVE)
    made = [body for method, path, _, body in airflow.seen if (method, path) == ("POST", "/api/v2/pools")]
    assert made == [{"name": "garmin_live", "slots": 1, "description": GARMIN_LIVE.description}]
