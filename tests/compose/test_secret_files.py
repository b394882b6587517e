"""The secrets of a deployment in containers."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from infra.compose import secret_files
from infra.compose.place import CannotStart
from infra.compose.process import airflow_environment, mwaa_environment

DAY = datetime(2026, 1, 2, tzinfo=UTC)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_they_are_made_once_and_kept(tmp_path: Path) -> None:
    secret_files.make(tmp_path, DAY)
    first = (secret_files.read(tmp_path), secret_files.database_password(tmp_path))
    secret_files.make(tmp_path, datetime(2027, 1, 1, tzinfo=UTC))
    assert (secret_files.read(tmp_path), secret_files.database_password(tmp_path)) == first
    assert first[0]["GFF_SCHEDULE_START"] == "2026-01-02"


def test_airflows_are_their_owners_alone_and_the_database_reads_its_password_by_its_group(tmp_path: Path) -> None:
    secret_files.make(tmp_path, DAY)
    assert modes(tmp_path) == {"airflow.json": 0o600, "database-password": 0o640, "schedule-start": 0o640}


def test_airflow_takes_them(tmp_path: Path) -> None:
    secret_files.make(tmp_path, DAY)
    found = secret_files.read(tmp_path)
    text = b"token"
    key = Fernet(found["AIRFLOW__CORE__FERNET_KEY"])
    assert key.decrypt(key.encrypt(text)) == text
    assert len(found["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 48


def test_two_deployments_have_secrets_of_their_own(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        secret_files.make(folder, DAY)
    found = [{**secret_files.read(f), "password": secret_files.database_password(f)} for f in folders]
    assert all(found[0][name] != found[1][name] for name in found[0] if name != "GFF_SCHEDULE_START")


def test_a_write_that_broke_off_is_made_up_for(tmp_path: Path) -> None:
    (tmp_path / "airflow.new").write_text("{")
    secret_files.make(tmp_path, DAY)
    assert secret_files.read(tmp_path)


def test_without_them_nothing_starts_and_it_says_how_they_are_made(tmp_path: Path) -> None:
    for read in (secret_files.read, secret_files.database_password):
        with pytest.raises(CannotStart, match="docker compose up"):
            read(tmp_path)
    with pytest.raises(CannotStart, match="down --volumes"):
        secret_files.make(tmp_path / "missing", DAY)


def test_a_command_has_secrets_and_database_and_no_variable_that_is_set_to_nothing() -> None:
    given = {"AWS_ENDPOINT_URL": "", "GFF_ACCOUNT_ID": "", "GFF_SOURCE": "synthetic", "EMPTY": "", "PATH": "/bin"}
    made = airflow_environment(given, {"AIRFLOW__CORE__FERNET_KEY": "k"}, "p")
    assert made == {
        "GFF_SOURCE": "synthetic",
        "EMPTY": "",
        "PATH": "/bin",
        "AIRFLOW__CORE__FERNET_KEY": "k",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://airflow:p@postgres:5432/airflow",
    }


def test_awss_image_takes_the_same_secrets_in_its_own_forms(tmp_path: Path) -> None:
    secret_files.make(tmp_path, DAY)
    secret, password = secret_files.read(tmp_path), secret_files.database_password(tmp_path)
    made = mwaa_environment({"MWAA__LOGGING__X_ARN": "", "AWS_PROFILE": ""}, secret, password)
    assert json.loads(made["MWAA__CORE__FERNET_KEY"]) == {"FernetKey": secret["AIRFLOW__CORE__FERNET_KEY"]}
    assert json.loads(made["MWAA__DB__CREDENTIALS"]) == {"username": "airflow", "password": password}
    assert made["MWAA__LOGGING__X_ARN"] == "", "the image reads it, and fails where it is not there"
    assert "AWS_PROFILE" not in made
