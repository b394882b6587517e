"""What `make deploy` keeps running in the background: found again, ended with all it started, said when it cannot start."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.laptop import background, ports
from infra.laptop.options import LaptopError, Options


@pytest.fixture
def options(tmp_path: Path) -> Iterator[Options]:
    made = Options("synthetic", tmp_path / "state", ports.free_port(), ports.free_port(), is_packaged=True)
    yield made
    background.stop(made.state)


def becomes_true(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_it_outlives_who_started_it_is_found_again_and_ends_with_its_processes(options: Options) -> None:
    started = background.start(options, with_airflow=False)
    found = background.find(options.state)
    assert found == started
    assert (found.port_aws, found.source, found.has_airflow) == (options.port_aws, "synthetic", False)
    assert os.getsid(found.pid) == found.pid  # a session of its own: a Ctrl-C in the terminal does not reach it
    children = psutil.Process(found.pid).children(recursive=True)
    assert children
    assert background.stop(options.state) == ["local AWS"]
    assert background.find(options.state) is None
    assert not any(child.is_running() for child in children)
    assert background.last(options.state) == started


def test_local_aws_is_started_again_when_it_dies(options: Options) -> None:
    started = background.start(options, with_airflow=False)
    child = psutil.Process(started.pid).children()[0]
    child.kill()
    assert becomes_true(lambda: bool(psutil.Process(started.pid).children()) and ports.answers(options.port_aws))
    assert background.find(options.state) == started


def test_what_a_killed_one_left_is_ended(options: Options) -> None:
    started = background.start(options, with_airflow=False)
    os.kill(started.pid, signal.SIGKILL)
    assert becomes_true(lambda: background.find(options.state) is None)
    assert ports.answers(options.port_aws)  # local AWS outlived it, and holds port and state
    assert background.start(options, with_airflow=False).pid != started.pid


def test_a_taken_port_starts_nothing(options: Options) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", options.port_aws))
        server.listen()
        with pytest.raises(LaptopError, match=f"Port {options.port_aws}"):
            background.start(options, with_airflow=False)
    assert background.last(options.state) is None


def test_variables_come_from_the_startup_script_and_the_command_line(options: Options) -> None:
    options.airflow_home.mkdir(parents=True)
    options.startup_script.write_text(
        "export GFF_PROJECT=other\nexport GFF_JOB_POLL_S='7'\nOTHER=1\nexport GFF_SOURCE=x\n"
    )
    assert background.exported_variables(options.startup_script) == {
        "GFF_PROJECT": "other",
        "GFF_JOB_POLL_S": "7",
        "GFF_SOURCE": "x",
    }
    found = background.environment_of(options, {"PATH": "/usr/bin"})
    assert (found["GFF_PROJECT"], found["GFF_JOB_POLL_S"], found["GFF_SOURCE"]) == ("other", "7", "synthetic")
    assert found["AWS_CONTAINER_CREDENTIALS_FULL_URI"].endswith("/other-tasks")
    assert found["AIRFLOW__CORE__PLUGINS_FOLDER"] == str(options.dags_folder.resolve() / "plugins")


def test_a_startup_script_that_fails_is_said(options: Options) -> None:
    options.airflow_home.mkdir(parents=True)
    options.startup_script.write_text("echo broken >&2\nexit 3\n")
    with pytest.raises(LaptopError, match="broken"):
        background.exported_variables(options.startup_script)
