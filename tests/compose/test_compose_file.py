"""What docker-compose.yaml and the files beside it promise, read without Docker."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.compose.preflight import COMPOSE_NEEDED
from infra.laptop.airflow_home import SETTINGS

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "docker-compose.yaml"
AWS = ROOT / "docker-compose.aws.yaml"
MWAA = ROOT / "docker-compose.mwaa.yaml"
ONE_SHOT = {"secrets", "airflow-init", "provision"}
LASTING = {
    "postgres",
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "local-aws",
}
TASK_SERVICES = {"airflow-scheduler", "airflow-triggerer"}
"""What runs tasks and triggers, and so needs the credentials of the tasks' role."""
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|FERNET|_KEY|CREDENTIALS", re.IGNORECASE)


class _Loader(yaml.SafeLoader):
    """Reads the tags of Docker Compose as the plain values that they mark."""


def _plain(loader: yaml.Loader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else None


for tag in ("!reset", "!override"):
    _Loader.add_constructor(tag, _plain)


def _read(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), _Loader)


COMPOSE = _read(MAIN)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_services_are_those_that_the_docs_name() -> None:
    assert set(SERVICES) == ONE_SHOT | LASTING


@pytest.mark.parametrize("name", sorted(LASTING))
def test_what_stays_has_a_health_check_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert service["stop_grace_period"]


@pytest.mark.parametrize("name", sorted(ONE_SHOT))
def test_what_ends_is_not_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "no"
    assert "healthcheck" not in SERVICES[name]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_held_down(name: str) -> None:
    service = SERVICES[name]
    assert service["init"] is True
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])


def test_nobody_is_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^USER (.*)$", dockerfile, re.MULTILINE) == ["forecast"]
    users = {name: service["user"] for name, service in SERVICES.items() if "user" in service}
    assert users == {"postgres": "postgres"}


def test_ports_are_published_on_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert not any(service.get("network_mode") == "host" for service in SERVICES.values())


def test_mounted_folders_of_this_machine_are_read_only() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            if volume.startswith((".", "/", "~", "${")):
                assert volume.endswith(":ro"), f"{name}: {volume}"


def test_only_the_database_and_its_users_are_in_its_network() -> None:
    inside = {name for name, service in SERVICES.items() if "database" in service.get("networks", [])}
    assert inside == {"postgres", "airflow-init", *(n for n in LASTING if n.startswith("airflow-"))}
    assert COMPOSE["networks"]["database"]["internal"] is True


def test_only_what_runs_tasks_reaches_their_credentials() -> None:
    inside = {name for name, service in SERVICES.items() if "credentials" in service.get("networks", [])}
    assert inside == {"local-aws", *TASK_SERVICES}
    given = {n for n, s in SERVICES.items() if "AWS_CONTAINER_CREDENTIALS_FULL_URI" in s.get("environment", {})}
    assert given == TASK_SERVICES
    from botocore.utils import ContainerMetadataFetcher

    address = SERVICES["local-aws"]["networks"]["credentials"]["ipv4_address"]
    assert address in ContainerMetadataFetcher._ALLOWED_HOSTS


@pytest.mark.parametrize("path", [MAIN, AWS, MWAA], ids=lambda path: path.name)
def test_no_secret_stands_in_a_file(path: Path) -> None:
    for name, service in _read(path)["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            if SECRET_NAME.search(variable) and value and not variable.endswith(("_FILE", "_URI")):
                assert value.startswith("${"), f"{name}: {variable}"


def test_what_depends_says_on_what_condition() -> None:
    for name, service in SERVICES.items():
        for other, condition in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert condition["condition"] == wanted, f"{name} on {other}"
    assert set(SERVICES["provision"]["depends_on"]) == LASTING - {"postgres"}


def test_local_aws_answers_to_its_own_names_alone() -> None:
    command = SERVICES["local-aws"]["command"]
    assert "--host=0.0.0.0" in command
    assert {c for c in command if c.startswith("--host-name=")} == {
        "--host-name=local-aws",
        "--host-name=169.254.170.2",
    }


def test_airflow_is_tuned_as_on_the_laptop() -> None:
    environment = SERVICES["airflow-scheduler"]["environment"]
    differ = {
        "API__HOST",
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT",
        "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL",
    }
    for name, value in SETTINGS.items():
        assert f"AIRFLOW__{name}" in environment
        if name not in differ:
            assert environment[f"AIRFLOW__{name}"] == value, name


def test_the_examples_name_every_variable_that_the_files_use() -> None:
    text = "\n".join(path.read_text() for path in (MAIN, AWS, MWAA))
    used = set(re.findall(r"\$\{([A-Z_]+)", text)) | set(re.findall(r"environment: ([A-Z_]+)$", text, re.MULTILINE))
    named = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used == named - {"COMPOSE_FILE"}


def test_the_head_of_the_file_and_the_check_ask_for_the_same_version() -> None:
    assert f"Docker Compose {'.'.join(map(str, COMPOSE_NEEDED))} or newer" in MAIN.read_text()


def test_the_image_is_built_of_what_is_named_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert not any(".env" in line or "data" in line for line in lines)


def _config(*files: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """`docker compose config` of files, without a developer's own .env: what counts is what stands in the repository."""
    command = ["docker", "compose", "--env-file=/dev/null", *(f"--file={path}" for path in files), "config", "--quiet"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_docker_compose_takes_the_file_as_it_stands(compose_client: dict[str, str]) -> None:
    done = _config(MAIN, environment=compose_client)
    assert (done.returncode, done.stderr) == (0, "")


def test_docker_compose_takes_the_file_of_mwaas_image(compose_client: dict[str, str]) -> None:
    done = _config(MAIN, MWAA, environment=compose_client)
    assert (done.returncode, done.stderr) == (0, "")


REAL = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "GFF_ACCOUNT_ID": "1"}


@pytest.mark.parametrize("missing", sorted(REAL))
def test_aws_itself_is_not_begun_without_its_values(missing: str, compose_client: dict[str, str]) -> None:
    given = {name: value for name, value in REAL.items() if name != missing}
    done = _config(MAIN, AWS, environment={**compose_client, **given})
    assert done.returncode != 0
    assert f"write {missing}=" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert _config(MAIN, AWS, environment={**compose_client, **REAL}).returncode == 0
