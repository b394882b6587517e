"""The processes of a laptop deployment, in the order of their start.

Not `airflow standalone`: killed, it leaves its children behind, and it restarts none that died.
Logs of tasks are read from disk by the API server, so the log servers of scheduler and triggerer stay off: two ports
(which listen on every address) and two processes less.
"""

import sys
import threading
import time
from collections.abc import Mapping

import httpx

from infra.laptop import forked
from infra.laptop.options import OFFLINE_DELAY_S, ROOT, Options
from infra.laptop.supervisor import Component, Supervisor


def local_aws(options: Options, environment: Mapping[str, str]) -> Component:
    """AWS on this laptop; its own environment names no endpoint, lest it call itself."""
    own = {k: v for k, v in environment.items() if k != "AWS_ENDPOINT_URL" and not k.startswith("AIRFLOW")}
    own["PYTHONPATH"] = str(ROOT)
    command = (sys.executable, "-m", "infra.localaws", "--port", str(options.port_aws))
    state = ("--state", str(options.aws_state.resolve()), "--jobs-python", str(options.jobs_python))
    delay = ("--offline-delay-s", str(OFFLINE_DELAY_S))
    return Component("local-aws", command + state + delay, own, ROOT)


EXECUTION_API_WITHIN_S = 60
AIRFLOW_ARGUMENTS = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
}
"""What the `airflow` of each component is called with, in the order of their start."""


def airflow_components(options: Options, environment: Mapping[str, str]) -> list[Component]:
    """API server, DAG processor, triggerer and scheduler, each as it is started by itself.

    None has the checkout on its path, as none has on MWAA: modules come from the DAGs folder alone. They run in the
    checkout, so that a path given to a DAG is understood as `make` understands it.
    """
    airflow = str(options.airflow_bin / "airflow")
    commands = {name: (airflow, *arguments) for name, arguments in AIRFLOW_ARGUMENTS.items()}
    commands["scheduler"] = (sys.executable, "-P", str(forked.SCRIPT), *AIRFLOW_ARGUMENTS["scheduler"])
    return [Component(name, command, environment, ROOT) for name, command in commands.items()]


def start_airflow(supervisor: Supervisor, options: Options, environment: Mapping[str, str]) -> None:
    """Start Airflow's components, forked from one process where that can be; one that dies is started by itself."""
    components = airflow_components(options, environment)
    running: Mapping[str, forked.ForkedProcess] = {}
    if forked.can_fork():
        log = supervisor.log_file("airflow")
        parent = forked.ForkParent(options.airflow_bin / "python", environment, ROOT, log)
        supervisor.end_with("airflow", parent.process)
        running = parent.fork([(c.name, AIRFLOW_ARGUMENTS[c.name], supervisor.log_file(c.name)) for c in components])
    for component in components:
        if component.name in running:
            supervisor.adopt(component, running[component.name])
        else:
            supervisor.start(component)
    threading.Thread(
        target=_build_execution_api, args=(options.airflow_url,), name="execution-api", daemon=True
    ).start()


def _build_execution_api(airflow_url: str) -> None:
    """Let the API server build what tasks talk to: at the first request otherwise, which takes seconds."""
    deadline = time.monotonic() + EXECUTION_API_WITHIN_S
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{airflow_url}/execution/health", timeout=EXECUTION_API_WITHIN_S)
            return
        except httpx.TransportError:
            time.sleep(0.2)
