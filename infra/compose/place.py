"""Where things lie in the containers; docker-compose.yaml mounts them there."""

from pathlib import Path


class CannotStart(Exception):
    """Something the user can mend; the message is one line that says what to do."""


SECRETS = Path("/var/lib/forecast/secrets")
AIRFLOW_SECRETS = "airflow.json"
DATABASE_PASSWORD = "database-password"  # noqa: S105 - the name of a file
SCHEDULE_START = "schedule-start"
LOGS = Path("/var/log/airflow")

DATABASE_HOST = "postgres"
DATABASE_PORT = 5432
DATABASE = "airflow"
"""The name of the database and of its user."""
