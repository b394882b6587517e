"""Airflow's home folder and environment: SQLite, LocalExecutor, 127.0.0.1 only, tuned for two cores."""

import json
import os
import secrets
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from cryptography.fernet import Fernet

from include.settings import CLIENT_REGIONS, DEFAULT_PROJECT, LOCAL_ACCOUNT
from infra.laptop.machine import fork_settings
from infra.laptop.options import OFFLINE_STORE_LAG_S, ROOT, Options
from infra.mwaa import layout

CREDENTIALS_PATH = "/_localaws/credentials/airflow-env.amazonaws.com/"
"""Where local AWS gives a container of MWAA its role's credentials; the role's name follows."""

REGION = "us-east-1"

SETTINGS = {
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__LOAD_EXAMPLES": "False",
    "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    "CORE__PARALLELISM": "4",
    "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
    "API__HOST": "127.0.0.1",
    "API__WORKERS": "1",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    # A killed scheduler is replaced at once here: its tasks are taken over after seconds, not after minutes.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "DAG_PROCESSOR__PARSING_PROCESSES": "2",
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    "DAG_PROCESSOR__REFRESH_INTERVAL": "20",
    "DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
    "LOGGING__COLORED_CONSOLE_LOG": "False",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "USAGE_DATA_COLLECTION__ENABLED": "False",
}

API_LIMITS = {
    "GFF_API_STAGE_RATE_LIMIT": "10000",
    "GFF_API_STAGE_BURST_LIMIT": "5000",
    "GFF_API_RATE_LIMIT": "10000",
    "GFF_API_BURST_LIMIT": "5000",
    "GFF_API_DAILY_QUOTA": "1000000000",
}
"""A request costs nothing here: whoever measures or tests may ask as fast as they can."""


def _kept_secrets(home: Path) -> dict[str, str]:
    """Signing and encryption keys, made once: a restarted component must trust tokens made before."""
    path = home / "secrets.json"
    if not path.exists():
        made = {
            "API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "API__SECRET_KEY": secrets.token_urlsafe(32),
            "CORE__FERNET_KEY": Fernet.generate_key().decode(),
        }
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(made, file)
    kept: dict[str, str] = json.loads(path.read_text())
    return kept


def _schedule_start(home: Path, today: date) -> str:
    """The day of the first run, kept: what lies before it is loaded by hand, once, and not by the schedule."""
    path = home / "schedule-start"
    if not path.exists():
        path.write_text(today.isoformat())
    return path.read_text()


def own_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of `environment` that the project's settings are made of, for the process that starts the others."""
    return {name: v for name, v in environment.items() if name.startswith("GFF_") or name in CLIENT_REGIONS}


def environment(options: Options, today: date, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of every process started here; makes the home folder and its secrets where missing."""
    home = options.airflow_home
    home.mkdir(parents=True, exist_ok=True)
    project = inherited.get("GFF_PROJECT", DEFAULT_PROJECT)
    # As on MWAA, the DAGs folder alone makes the project importable: what works here imports there.
    dags_folder = options.dags_folder
    if not options.is_packaged:
        layout.link(ROOT, dags_folder)
    own = {
        "AIRFLOW_HOME": str(home.resolve()),
        "PATH": f"{options.airflow_bin}{os.pathsep}{inherited.get('PATH', os.defpath)}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder.resolve()),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(dags_folder.resolve() / "plugins"),
        "AIRFLOW__API__PORT": str(options.port_airflow),
        "AIRFLOW__API__BASE_URL": options.airflow_url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{options.airflow_url}/execution/",
        "AWS_ENDPOINT_URL": options.aws_url,
        # As on MWAA, tasks have the credentials of the execution role from the container's credential address.
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{options.aws_url}{CREDENTIALS_PATH}{project}-tasks",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Whatever account the shell works in otherwise: names here are those of local AWS.
        "GFF_ACCOUNT_ID": LOCAL_ACCOUNT,
        "GFF_REGION": REGION,
        "GFF_SOURCE": options.source,
        "GFF_SCHEDULE_START": _schedule_start(home, today),
        "GFF_JOB_POLL_S": "1",
        "GFF_OFFLINE_STORE_LAG_S": str(OFFLINE_STORE_LAG_S),
        "GFF_OBJECT_PAGE_URL": f"{options.aws_url}/_localaws/s3/{{bucket}}/{{key}}",
        **API_LIMITS,
    }
    own |= {f"AIRFLOW__{name}": value for name, value in {**SETTINGS, **_kept_secrets(home)}.items()}
    # Compiled modules are kept: without them every task and job would compile what it imports, seconds each.
    dropped = {"PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
    owned = ("AIRFLOW_", "AWS_", "GFF_SOURCE")
    base = {k: v for k, v in inherited.items() if k not in dropped and not k.startswith(owned)}
    return fork_settings(sys.platform, base) | base | own
