"""Brings the containers to their first forecast, by the same deployment as every other home."""

import os

from infra.compose.place import AIRFLOW_URL
from infra.deployment.__main__ import main as deployment
from infra.deployment.home_compose import AIRFLOW_VARIABLE


def main() -> int:
    """Deploy the environment `compose` without asking; the exit code."""
    os.environ.setdefault(AIRFLOW_VARIABLE, AIRFLOW_URL)
    # A browser reaches the containers by the ports that docker publishes on this machine.
    shown = ["--airflow-url-shown", f"http://127.0.0.1:{os.environ['AIRFLOW_PORT']}"]
    shown += ["--aws-url-shown", f"http://127.0.0.1:{os.environ['AWS_PORT']}"]
    return deployment(["deploy", "--environment", "compose", "--yes", *shown])
