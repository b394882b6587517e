"""The health checks of the containers."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from infra.compose import health
from infra.compose.database import DatabaseAway


class _Answers(BaseHTTPRequestHandler):
    document: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.document).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_local_aws_is_well_when_it_is_ready_and_not_while_it_starts(address: str) -> None:
    _Answers.document = {"status": "starting"}
    assert health.answer_problem(address) == "is starting"
    _Answers.document = {"status": "ready"}
    assert health.answer_problem(address) == ""


def test_an_api_server_that_answers_is_well(address: str) -> None:
    _Answers.document = {"version": "3.2.1"}
    assert health.answer_problem(address) == ""


def test_where_nobody_answers_it_says_so() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    assert "does not answer" in health.answer_problem(nobody)


@pytest.mark.parametrize(
    ("age_s", "problem"), [(1.5, ""), (31.0, "gave no sign of life for 31 s"), (None, "has not begun")]
)
def test_a_process_is_well_while_it_gives_signs_of_life(age_s: float | None, problem: str) -> None:
    asked = []

    def ask(_: str, parameters: tuple[str, ...]) -> float | None:
        asked.append(parameters)
        return age_s

    assert health.sign_of_life_problem("TriggererJob", ask) == problem
    assert asked == [("TriggererJob", socket.gethostname())], "of this container, not of another one"


def test_a_database_that_is_away_is_no_traceback() -> None:
    def refuse(*_: Any) -> Any:
        raise DatabaseAway("the database does not answer: connection refused")

    assert health.sign_of_life_problem("SchedulerJob", refuse) == "the database does not answer: connection refused"


def test_an_unknown_service_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert health.main(["webserver"]) == 2
    assert "triggerer" in capsys.readouterr().err
