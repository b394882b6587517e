"""Whether a service of this container works. Cheap, for it is asked every few seconds: no Airflow is imported.

`airflow jobs check` asks the same question of the database and takes three seconds of a core to do so.
"""

import json
import socket
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

from infra.compose import database
from infra.compose.place import CannotStart

TIMEOUT_S = 5
ALIVE_S = 30
"""A process that gave no sign in so many seconds hangs; each gives one every two seconds or so."""
ADDRESSES = {
    "api-server": "http://127.0.0.1:8080/api/v2/version",
    "local-aws": "http://127.0.0.1:4566/_localaws/health",
}
JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
"""What Airflow calls its processes in the table `job`."""


def main(arguments: list[str]) -> int:
    """0 where the service named works, else 1 and a line that says why not."""
    names = [*ADDRESSES, *JOBS]
    if len(arguments) != 1 or arguments[0] not in names:
        print(f"health of what? One of {', '.join(names)}", file=sys.stderr)
        return 2
    name = arguments[0]
    problem = answer_problem(ADDRESSES[name]) if name in ADDRESSES else sign_of_life_problem(JOBS[name])
    if problem:
        print(f"{name}: {problem}")
    return 1 if problem else 0


def answer_problem(address: str) -> str:
    """What is wrong with a service that answers HTTP; empty where it is well."""
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:  # noqa: S310 - an address of this container
            document = json.load(answer)
    except (OSError, ValueError) as error:
        return f"{address} does not answer: {error}"
    status = document.get("status", "ready")
    return "" if status == "ready" else f"is {status}"


def sign_of_life_problem(job_type: str, ask: Callable[[str, tuple[str, ...]], Any] = database.figure) -> str:
    """What is wrong with the Airflow process of this container; empty where it gave a sign of life lately."""
    try:
        age_s = ask(
            "SELECT extract(epoch FROM now() - max(latest_heartbeat)) FROM job "
            "WHERE job_type = %s AND hostname = %s AND state = 'running'",
            (job_type, socket.gethostname()),
        )
    except (database.DatabaseAway, CannotStart) as error:
        return str(error)
    if age_s is None:
        return "has not begun"
    return "" if age_s < ALIVE_S else f"gave no sign of life for {age_s:.0f} s"
