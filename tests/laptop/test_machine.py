"""Where the machine is no Linux, or one that denies namespaces: said in one line, and the rest goes on."""

import os
import sys
from datetime import date
from pathlib import Path

import pytest

from infra.deployment.failure import NotDeployed
from infra.laptop import airflow_home, commands, machine, ports
from infra.laptop.options import Options


@pytest.mark.parametrize(("platform", "named"), [("darwin", "macOS"), ("linux", "Linux, which denies them")])
def test_a_machine_without_namespaces_is_said_in_one_line(platform: str, named: str) -> None:
    line = machine.shortcoming(platform, is_isolating=False)
    assert line is not None
    assert named in line
    assert "/opt/ml" in line
    assert "\n" not in line


def test_a_machine_with_namespaces_is_not_talked_about() -> None:
    assert machine.shortcoming("linux", is_isolating=True) is None


def test_without_unshare_nothing_is_isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not machine.can_isolate()


@pytest.mark.parametrize(("code", "answer"), [(0, True), (1, False)])
def test_the_kernel_decides_whether_namespaces_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, answer: bool
) -> None:
    (tmp_path / "unshare").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert machine.can_isolate() is answer


def test_a_run_on_a_mac_begins_with_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # a run sets the names of its deployment
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(machine, "can_isolate", lambda: False)
    options = Options(f"folder:{tmp_path / 'none'}", tmp_path / "state", ports.free_port(), ports.free_port())
    with pytest.raises(NotDeployed, match="cannot be read"):  # the run ends there, before any process is started
        commands.run(options)
    assert "this machine (macOS) has no namespaces" in capsys.readouterr().out.splitlines()[0]


def test_what_is_forked_on_a_mac_neither_dies_nor_asks_the_system_for_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options("synthetic", tmp_path, 18080, 14566)
    assert machine.FORK_CHECK_OFF not in airflow_home.environment(options, date(2026, 1, 1), {})
    monkeypatch.setattr(sys, "platform", "darwin")
    made = airflow_home.environment(options, date(2026, 1, 1), {})
    assert (made[machine.FORK_CHECK_OFF], made["no_proxy"]) == ("YES", "*")


def test_a_proxy_of_the_user_stays_in_force_on_a_mac() -> None:
    assert "no_proxy" not in machine.fork_settings("darwin", {"HTTPS_PROXY": "http://proxy.example:3128"})


def test_a_port_is_taken_where_another_server_answers_although_it_could_be_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "answers", lambda port: True)
    assert not ports.is_free(ports.free_port())
