"""The processes of a laptop deployment, in the order of their start.

Not `airflow standalone`: killed, it leaves its children behind, and it restarts none that died.
Logs of tasks are read from disk by the API server, so the log servers of scheduler and triggerer stay off: two ports
(which listen on every address) and two processes less.
"""

import sys
from collections.abc import Mapping

from infra.laptop.options import OFFLINE_DELAY_S, ROOT, Options
from infra.laptop.supervisor import Component


def local_aws(options: Options, environment: Mapping[str, str]) -> Component:
    """AWS on this laptop; its own environment names no endpoint, lest it call itself."""
    own = {k: v for k, v in environment.items() if k != "AWS_ENDPOINT_URL" and not k.startswith("AIRFLOW")}
    own["PYTHONPATH"] = str(ROOT)
    command = (sys.executable, "-m", "infra.localaws", "--port", str(options.port_aws))
    state = ("--state", str(options.aws_state.resolve()), "--jobs-python", str(options.jobs_python))
    delay = ("--offline-delay-s", str(OFFLINE_DELAY_S))
    return Component("local-aws", command + state + delay, own, ROOT)


def airflow_components(options: Options, environment: Mapping[str, str]) -> list[Component]:
    """API server, DAG processor, scheduler and triggerer.

    None has the checkout on its path, as none has on MWAA: modules come from the DAGs folder alone. They run in the
    checkout, so that a path given to a DAG is understood as `make` understands it.
    """
    airflow = str(options.airflow_bin / "airflow")
    commands = {
        "api-server": (airflow, "api-server"),
        "dag-processor": (airflow, "dag-processor"),
        "scheduler": (sys.executable, "-P", str(ROOT / "infra/laptop/scheduler.py")),
        "triggerer": (airflow, "triggerer", "--skip-serve-logs"),
    }
    return [Component(name, command, environment, ROOT) for name, command in commands.items()]
