import os
import stat
from datetime import date
from pathlib import Path

import pytest

from include.settings import Settings
from infra.laptop import airflow_home
from infra.laptop.options import ROOT, Options
from infra.laptop.processes import airflow_components, local_aws


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options("synthetic", tmp_path, 18080, 14566)


def test_secrets_are_made_once_and_are_their_owners_alone(options: Options) -> None:
    first = airflow_home.environment(options, date(2026, 1, 1), {})
    second = airflow_home.environment(options, date(2026, 2, 2), {})
    assert first == second
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 48
    mode = (options.airflow_home / "secrets.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_two_deployments_have_secrets_of_their_own(tmp_path: Path) -> None:
    made = [
        airflow_home.environment(Options("synthetic", tmp_path / name, 1, 2), date(2026, 1, 1), {}) for name in "ab"
    ]
    assert made[0]["AIRFLOW__API_AUTH__JWT_SECRET"] != made[1]["AIRFLOW__API_AUTH__JWT_SECRET"]


def test_the_schedule_keeps_the_day_of_the_first_run(options: Options) -> None:
    airflow_home.environment(options, date(2026, 1, 1), {})
    assert airflow_home.environment(options, date(2026, 5, 5), {})["GFF_SCHEDULE_START"] == "2026-01-01"


AWS_OF_THE_USER = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/production",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/home/me/token",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/v2/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
    "AWS_CONFIG_FILE": "/home/me/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/home/me/.aws/credentials",
    "AWS_ENDPOINT_URL": "https://aws.example.org",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.org",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_CA_BUNDLE": "/home/me/ca.pem",
}


def test_no_setting_of_the_users_own_aws_leaks_in(options: Options) -> None:
    alone = airflow_home.environment(options, date(2026, 1, 1), {})
    beside = airflow_home.environment(options, date(2026, 1, 1), AWS_OF_THE_USER)
    of_aws = {name: value for name, value in beside.items() if name.startswith("AWS_")}
    assert of_aws == {name: value for name, value in alone.items() if name.startswith("AWS_")}
    assert of_aws["AWS_ENDPOINT_URL"] == "http://127.0.0.1:14566"


def test_the_tasks_have_the_credentials_of_their_role_and_no_others(options: Options) -> None:
    made = airflow_home.environment(options, date(2026, 1, 1), AWS_OF_THE_USER | {"GFF_PROJECT": "coach"})
    address = "http://127.0.0.1:14566/_localaws/credentials/airflow-env.amazonaws.com/coach-tasks"
    assert made["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == address
    sources = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN"}
    assert sources.isdisjoint(made)
    assert {made["AWS_CONFIG_FILE"], made["AWS_SHARED_CREDENTIALS_FILE"]} == {os.devnull}


def test_settings_of_the_users_own_airflow_do_not_leak_in(options: Options) -> None:
    inherited = {
        "AIRFLOW_HOME": "/home/me/airflow",
        "AIRFLOW__CORE__FERNET_KEY": "mine",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": "/usr/bin",
        "LANG": "C.UTF-8",
    }
    made = airflow_home.environment(options, date(2026, 1, 1), inherited)
    assert made["AIRFLOW_HOME"] == str(options.airflow_home)
    assert made["AIRFLOW__CORE__FERNET_KEY"] != "mine"
    assert "PYTHONDONTWRITEBYTECODE" not in made
    assert made["LANG"] == "C.UTF-8"
    assert made["PATH"].startswith(str(options.airflow_bin))


def test_the_laptops_own_load_is_not_throttled(options: Options) -> None:
    made = airflow_home.environment(options, date(2026, 1, 1), {})
    names = [name for name in Settings.model_fields if name.startswith("api_")]
    assert len(names) == 5
    assert all(int(made[f"GFF_{name.upper()}"]) >= 5000 for name in names)


def test_only_this_machine_is_listened_to(options: Options) -> None:
    made = airflow_home.environment(options, date(2026, 1, 1), {})
    assert made["AIRFLOW__API__HOST"] == "127.0.0.1"
    commands = {component.name: component.command for component in airflow_components(options, made)}
    assert "--skip-serve-logs" in commands["triggerer"]


def test_local_aws_is_not_told_of_itself(options: Options) -> None:
    made = airflow_home.environment(options, date(2026, 1, 1), {})
    assert "AWS_ENDPOINT_URL" not in local_aws(options, made).environment


def test_a_build_waits_longer_than_the_offline_store_lags(options: Options) -> None:
    command = local_aws(options, {}).command
    delay_s = float(command[command.index("--offline-delay-s") + 1])
    waits_s = float(airflow_home.environment(options, date(2026, 1, 1), {})["GFF_OFFLINE_STORE_LAG_S"])
    assert 0 < delay_s < waits_s


def test_airflow_imports_the_project_from_its_dags_folder_alone_as_on_mwaa(options: Options) -> None:
    made = airflow_home.environment(options, date(2026, 1, 1), {"PYTHONPATH": str(ROOT)})
    folder = options.airflow_home / "dags"
    assert made["AIRFLOW__CORE__DAGS_FOLDER"] == str(folder.resolve())
    assert sorted(path.name for path in folder.iterdir() if path.is_symlink()) == ["dags", "include", "plugins"]
    assert "PYTHONPATH" not in made
    for component in airflow_components(options, made):
        assert "-m" not in component.command, component.name  # which would put the working folder on the path
    assert local_aws(options, made).environment["PYTHONPATH"] == str(ROOT)
