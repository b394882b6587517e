"""Airflow's database as the containers reach it, without Airflow."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from infra.compose import secret_files
from infra.compose.place import DATABASE, DATABASE_HOST, DATABASE_PORT

TIMEOUT_S = 5


class DatabaseAway(Exception):
    """The database does not answer, or not as it should; the message is one line."""


def figure(statement: str, parameters: tuple[str, ...]) -> Any:
    """The first value that a query answers with.

    Raises:
        DatabaseAway: the database does not answer, or refuses.
        CannotStart: its password was not made.
    """
    with _cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()[0]


def change(statement: str, parameters: tuple[str, ...]) -> None:
    """Carry out a statement.

    Raises:
        DatabaseAway: the database does not answer, or refuses.
        CannotStart: its password was not made.
    """
    with _cursor() as cursor:
        cursor.execute(statement, parameters)


@contextmanager
def _cursor() -> Iterator[Any]:
    import psycopg2  # in the image, and not in the environment of the tests

    try:
        connection = psycopg2.connect(
            host=DATABASE_HOST,
            port=DATABASE_PORT,
            dbname=DATABASE,
            user=DATABASE,
            password=secret_files.database_password(),
            connect_timeout=TIMEOUT_S,
        )
        with closing(connection), connection, connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error as error:
        raise DatabaseAway(f"the database does not answer: {' '.join(str(error).split())}") from error
