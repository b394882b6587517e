"""The secrets of one deployment: made once, kept in a volume that is deleted with its data.

Airflow's own secrets are for the user of the containers alone. The password of the database is for its group as well,
for PostgreSQL runs as another user.
"""

import base64
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from infra.compose.place import AIRFLOW_SECRETS, DATABASE_PASSWORD, SCHEDULE_START, SECRETS, CannotStart

OWN = 0o600
GROUP = 0o640


def make(folder: Path = SECRETS, now: datetime | None = None) -> None:
    """Make what is missing; what is there stays, so that tokens and passwords of before are still good."""
    airflow = {
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    try:
        _keep(folder / AIRFLOW_SECRETS, json.dumps(airflow), OWN)
        _keep(folder / DATABASE_PASSWORD, secrets.token_urlsafe(32), GROUP)
        # What lies before this day is loaded once, by hand, and is not the schedule's to catch up with.
        _keep(folder / SCHEDULE_START, (now or datetime.now(UTC)).date().isoformat(), GROUP)
    except OSError as error:
        raise CannotStart(
            f"The volume of the secrets cannot be written ({error.strerror}): `docker compose down --volumes` deletes "
            "it together with all data of the deployment, and `docker compose up` makes it anew."
        ) from error


def read(folder: Path = SECRETS) -> dict[str, str]:
    """The variables by which Airflow takes its secrets, the address of its database among them.

    Raises:
        CannotStart: the secrets were not made, or cannot be read.
    """
    try:
        found: dict[str, str] = json.loads((folder / AIRFLOW_SECRETS).read_text())
        found["GFF_SCHEDULE_START"] = (folder / SCHEDULE_START).read_text()
    except OSError as error:
        raise CannotStart(f"No secrets: {error}. Start the containers by `docker compose up`.") from error
    return found


def database_password(folder: Path = SECRETS) -> str:
    """The password of Airflow's user of the database.

    Raises:
        CannotStart: it was not made, or cannot be read.
    """
    try:
        return (folder / DATABASE_PASSWORD).read_text()
    except OSError as error:
        raise CannotStart(f"No secrets: {error}. Start the containers by `docker compose up`.") from error


def _keep(path: Path, content: str, mode: int) -> None:
    """Write a file that is not there yet, whole or not at all."""
    if path.exists():
        return
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    new.chmod(mode)
    new.replace(path)
