"""Airflow's database as the containers reach it, without Airflow."""

from typing import Any

from infra.compose import secret_files
from infra.compose.place import DATABASE, DATABASE_HOST, DATABASE_PORT

TIMEOUT_S = 5


def connect() -> Any:
    """A connection to Airflow's database.

    Raises:
        psycopg2.Error: the database does not answer.
        CannotStart: its password was not made.
    """
    import psycopg2

    return psycopg2.connect(
        host=DATABASE_HOST,
        port=DATABASE_PORT,
        dbname=DATABASE,
        user=DATABASE,
        password=secret_files.database_password(),
        connect_timeout=TIMEOUT_S,
    )
