"""Turns a container's first process into what it is for, with the environment that this needs."""

import json
import os
import sys
from collections.abc import Mapping
from typing import NoReturn

from infra.compose import secret_files
from infra.compose.place import DATABASE, DATABASE_HOST, DATABASE_PORT, CannotStart

FERNET_KEY = "AIRFLOW__CORE__FERNET_KEY"


def run(command: list[str]) -> NoReturn:
    """Become a command of Airflow.

    Raises:
        CannotStart: no command, one that is not there, or no secrets.
    """
    if not command:
        raise CannotStart("run what? For example: run airflow scheduler")
    _become(command, airflow_environment(os.environ, secret_files.read(), secret_files.database_password()))


def run_in_mwaa_image(command: list[str]) -> NoReturn:
    """Become a command of AWS's own MWAA image, in the folder in which it begins there.

    Raises:
        CannotStart: not in that image, or no secrets.
    """
    made = mwaa_environment(os.environ, secret_files.read(), secret_files.database_password())
    try:
        os.chdir(os.environ["AIRFLOW_HOME"])
    except (KeyError, OSError) as error:
        raise CannotStart("this is not AWS's MWAA image: AIRFLOW_HOME names no folder") from error
    _become(["python3", "-m", "mwaa.entrypoint", *command], made)


def provision(arguments: list[str]) -> NoReturn:
    """Become the deployment of the project to these containers."""
    deploy = [sys.executable, "-m", "infra.deployment", "deploy", "--environment", "compose"]
    _become([*deploy, *arguments], without_empty(os.environ))


def without_empty(given: Mapping[str, str]) -> dict[str, str]:
    """An environment without the variables that a compose file could only set to nothing.

    To boto3 and to the settings an empty AWS_ENDPOINT_URL or GFF_ACCOUNT_ID is not the same as none.
    """
    return {name: value for name, value in given.items() if value or not name.startswith(("AWS_", "GFF_"))}


def airflow_environment(given: Mapping[str, str], secret: Mapping[str, str], database_password: str) -> dict[str, str]:
    """The environment of a command of Airflow in our image."""
    user = f"{DATABASE}:{database_password}"
    database = f"postgresql+psycopg2://{user}@{DATABASE_HOST}:{DATABASE_PORT}/{DATABASE}"
    return {**without_empty(given), **secret, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database}


def mwaa_environment(given: Mapping[str, str], secret: Mapping[str, str], database_password: str) -> dict[str, str]:
    """The environment of a command of AWS's MWAA image, which takes its secrets in forms of its own."""
    own = {
        "MWAA__CORE__FERNET_KEY": json.dumps({"FernetKey": secret[FERNET_KEY]}),
        "MWAA__DB__CREDENTIALS": json.dumps({"username": DATABASE, "password": database_password}),
    }
    return {**without_empty(given), **secret, **own}


def _become(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    try:
        os.execvpe(command[0], command, dict(environment))  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise CannotStart(f"{command[0]} cannot be run: {error.strerror}") from error
