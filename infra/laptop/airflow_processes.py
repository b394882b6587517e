"""Airflow's processes, started with what they and their tasks import in memory already.

    python -P airflow_processes.py scheduler --skip-serve-logs    one component, in this process
    python -P airflow_processes.py --all < components.json        several, forked from one that imports everything once

Components that import Airflow each for itself cost two cores some five seconds, and a task that imports pandas or Great
Expectations costs two or four more: LocalExecutor forks its workers from the scheduler, and these fork a process a
task, so what the scheduler holds costs a task nothing.

With `--all` the components come as a JSON list on standard input, in the order of their start:
`{"name": …, "arguments": […], "log": FILE}`. Each becomes the leader of a session of its own. What happens is written
to standard output, a line each: `started NAME PID`, and later `ended PID CODE`, where a signal is a negative code.
What the imported modules print goes to standard error.
This process stays as their parent, and ends with the last of them.
"""

import gc
import json
import logging
import os
import sys
from importlib import import_module
from typing import Any, TextIO

OF_AIRFLOW = ("airflow.__main__", "airflow.api_fastapi.app", "airflow.cli.commands.api_server_command")
OF_DAGS = (
    "airflow.sdk",
    "airflow.dag_processing.dagbag",
    "airflow.providers.amazon.aws.operators.eventbridge",
    "airflow.providers.amazon.aws.operators.sagemaker",
    "airflow.providers.amazon.aws.triggers.sagemaker",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.operators.empty",
    "airflow.providers.standard.operators.python",
    "boto3",
    "pydantic_settings",
)
OF_TASKS = (
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.amazon.aws.hooks.s3",
    "pandas",
    "great_expectations",
)
IMPORTED_BEFORE = {
    "api-server": OF_AIRFLOW,
    "dag-processor": (*OF_DAGS, "airflow.cli.commands.dag_processor_command", "airflow.dag_processing.manager"),
    "triggerer": ("airflow.cli.commands.triggerer_command", "airflow.jobs.triggerer_job_runner"),
    "scheduler": (
        "airflow.cli.commands.scheduler_command",
        "airflow.jobs.scheduler_job_runner",
        "airflow.executors.local_executor",
        *OF_TASKS,
    ),
}
"""In the order of their start: a component that others wait for begins before the rest is imported."""
OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Building hundreds of routes and models, Python would look for garbage a thousand times and find none."""


def main() -> None:
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a process with threads cannot be forked safely
    arguments = sys.argv[1:]
    if arguments == ["--all"]:
        arguments = _fork_all(json.load(sys.stdin))
    else:
        for name, modules in IMPORTED_BEFORE.items():
            if name != "api-server":
                _import(modules)
    if arguments:
        _run(arguments)


def _fork_all(components: list[dict[str, Any]]) -> list[str]:
    """Fork the components. In each of them returns the arguments of its command; in the parent, at the end, none."""
    with os.fdopen(os.dup(1), "w") as report:
        os.dup2(2, 1)
        return _fork_and_report(components, report)


def _fork_and_report(components: list[dict[str, Any]], report: TextIO) -> list[str]:
    running = set()
    for component in components:
        _import(IMPORTED_BEFORE.get(component["name"], ()))
        gc.freeze()  # no collection of a component touches, and so copies, what it shares with the others
        pid = os.fork()
        if pid == 0:
            _become_leader(component["log"])
            print("started", component["name"], os.getpid(), file=report)
            report.close()
            return list(component["arguments"])
        running.add(pid)
    while running:
        pid, status = os.wait()
        running.discard(pid)
        print("ended", pid, os.waitstatus_to_exitcode(status), file=report, flush=True)
    return []


def _become_leader(log: str) -> None:
    """Leave the parent's session and its pipes."""
    os.setsid()
    for target, path, flags in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)):
        opened = os.open(path, flags, 0o644)
        os.dup2(opened, target)
        os.close(opened)
    os.dup2(1, 2)


def _import(modules: tuple[str, ...]) -> None:
    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it logs 200 lines when it is imported
    for name in modules:
        import_module(name)


def _run(arguments: list[str]) -> None:
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", *arguments]
    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
