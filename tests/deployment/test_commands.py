"""The command as a user calls it, where it ends before anything happens: one line that says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def deployment(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    dropped = ("AWS_", "GFF_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    command = [sys.executable, "-m", "infra.deployment", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment | variables, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_says_all() -> None:
    shown = deployment("--help").stdout
    words = ("deploy", "undeploy", "start", "stop", "status", "--environment", "--yes", "--with-data", "--only")
    assert all(word in shown for word in words)


@pytest.mark.parametrize(
    ("arguments", "variables", "part"),
    [
        (("deploy", "--environment", "none"), {}, "there is no environment 'none'"),
        (("deploy", "--package", "/nowhere"), {}, "make it with `make package`"),
        (("deploy", "--only", "data", "--package", "/nowhere"), {}, "make it with `make package`"),
        (("status", "--environment", "compose"), {}, "GFF_AIRFLOW_URL is not set"),
        (("stop", "--environment", "compose"), {}, "docker compose stop"),
        (("status", "--environment", "example"), {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "unset it"),
        (("status", "--environment", "example"), {"AWS_REGION": "us-east-2"}, "AWS_REGION is us-east-2"),
        (
            ("status", "--environment", "example"),
            {
                "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            "sign in first",
        ),
    ],
)
def test_what_is_wrong_is_one_line(arguments: tuple[str, ...], variables: dict[str, str], part: str) -> None:
    done = deployment(*arguments, **variables)
    assert done.returncode == 1
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (
            ("--only", "data,datta"),
            "there is no part 'datta'; there are access, data, features, ml, serving, mwaa, dags",
        ),
        (("--only", "data", "--only-access"), "not allowed with argument --only"),
    ],
)
def test_a_wrong_part_is_said_before_anything_is_read(arguments: tuple[str, ...], part: str) -> None:
    done = deployment("deploy", *arguments)
    assert (done.returncode, part in done.stderr) == (2, True)


def test_a_state_without_a_deployment_names_the_command(tmp_path: Path) -> None:
    done = deployment("undeploy", "--yes", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "make deploy ENV=local" in done.stderr
    assert not (tmp_path / "aws").exists()


def test_stop_without_anything_running_is_no_error(tmp_path: Path) -> None:
    done = deployment("stop", "--state", str(tmp_path))
    assert (done.returncode, "nothing of ours runs" in done.stdout) == (0, True)
