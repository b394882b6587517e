"""Turns a container's first process into a command of Airflow, with the secrets in its environment."""

import os
from collections.abc import Mapping
from typing import NoReturn

from infra.compose import secret_files
from infra.compose.place import DATABASE, DATABASE_HOST, DATABASE_PORT, CannotStart


def replace_with(command: list[str]) -> NoReturn:
    """Run `command` in place of this process.

    Raises:
        CannotStart: no command, or one that is not there.
    """
    if not command:
        raise CannotStart("run what? For example: run airflow scheduler")
    made = environment(os.environ, secret_files.read(), secret_files.database_password())
    try:
        os.execvpe(command[0], command, made)  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise CannotStart(f"{command[0]} cannot be run: {error.strerror}") from error


def environment(given: Mapping[str, str], secret: Mapping[str, str], database_password: str) -> dict[str, str]:
    """The environment of a command of Airflow.

    Variables that a compose file can only set to nothing are left out: to boto3 and to the settings an empty
    AWS_ENDPOINT_URL or GFF_ACCOUNT_ID is not the same as none.
    """
    kept = {name: value for name, value in given.items() if value or not name.startswith(("AWS_", "GFF_"))}
    user = f"{DATABASE}:{database_password}"
    database = f"{user}@{DATABASE_HOST}:{DATABASE_PORT}/{DATABASE}"
    return {**kept, **secret, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}"}
