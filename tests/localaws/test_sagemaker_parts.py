"""The parts of SageMaker's execution that need no server."""

import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from infra.localaws.sagemaker import archives, constraints, opt_ml
from infra.localaws.sagemaker.containers import UnknownImage, base_environment, interpreter_for, repository_of
from infra.localaws.sagemaker.errors import ValidationException
from infra.localaws.sagemaker.metrics import MetricCatcher
from infra.localaws.sagemaker.notices import publish
from infra.localaws.sagemaker.opt_ml import Launch
from infra.localaws.sagemaker.processes import ProcessGroup
from infra.localaws.world import Config, World

PYTHON = sys.executable


def launch(tree: Path, code: str, **environment: str) -> Launch:
    return Launch(tree, (PYTHON, "-u", "-c", code), {"PATH": "/usr/bin:/bin", **environment}, "/opt/ml")


@pytest.fixture(params=[True, False], ids=["mounted", "rewritten"])
def mounts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param and not opt_ml.can_mount():
        pytest.skip("this machine denies mount namespaces")
    if not request.param:
        monkeypatch.setattr(opt_ml, "can_mount", lambda: False)
    return bool(request.param)


def test_a_process_finds_its_own_opt_ml(mounts: bool, tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "x").write_text("seen")
    code = "import os; print(open(os.environ['WHERE'] + '/x').read(), os.getcwd())"

    process = opt_ml.start(launch(tmp_path, code, WHERE="/opt/ml/input"), die_with_parent=True)

    output = process.communicate()[0].decode().split()
    assert output == ["seen", "/opt/ml" if mounts else str(tmp_path)]
    assert process.returncode == 0


def test_the_host_s_opt_is_left_alone(tmp_path: Path) -> None:
    before = sorted(Path("/opt").iterdir()) if Path("/opt").is_dir() else None
    opt_ml.start(launch(tmp_path, "open('/opt/ml/x', 'w').write('1')"), die_with_parent=True).wait()

    assert (sorted(Path("/opt").iterdir()) if Path("/opt").is_dir() else None) == before


def test_a_path_that_leaves_opt_ml_is_refused(tmp_path: Path) -> None:
    assert opt_ml.inside(tmp_path, "/opt/ml/processing/x") == tmp_path.resolve() / "processing/x"
    for path in ("/etc/passwd", "/opt/ml/../../etc"):
        with pytest.raises(ValueError):
            opt_ml.inside(tmp_path, path)


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    group = ProcessGroup(grace_s=0.3)
    ready = threading.Event()
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(60)"
    threading.Thread(target=lambda: (ready.wait(10), group.stop())).start()

    ended = group.run({"algo-1": launch(tmp_path, code)}, lambda _host, _line: ready.set(), limit_s=30)

    assert ended.stopped
    assert ended.exit_codes == {"algo-1": -9}


def test_when_one_host_fails_the_others_are_ended(tmp_path: Path) -> None:
    launches = {
        "algo-1": launch(tmp_path, "import time; time.sleep(60)"),
        "algo-2": launch(tmp_path, "raise SystemExit(4)"),
    }

    ended = ProcessGroup(grace_s=5).run(launches, lambda _host, _line: None, limit_s=30)

    assert ended.exit_codes == {"algo-1": -15, "algo-2": 4}
    assert not ended.stopped


def test_what_a_process_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    lines: list[str] = []
    code = "import subprocess; print(subprocess.Popen(['sleep', '100']).pid)"
    ProcessGroup().run({"algo-1": launch(tmp_path, code)}, lambda _host, line: lines.append(line), limit_s=30)

    found = subprocess.run(["ps", "-o", "stat=", "-p", lines[0]], capture_output=True, text=True, check=False).stdout
    assert found.strip() in ("", "Z")


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0", "sagemaker-xgboost"),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost@sha256:ab", "sagemaker-xgboost"),
        ("localhost:5000/mine", "mine"),
    ],
)
def test_repository_of(image: str, name: str) -> None:
    assert repository_of(image) == name


def world_of(tmp_path: Path) -> World:
    return World(Config(4566, tmp_path, Path("/jobs/bin/python")))


def test_only_the_xgboost_image_has_an_interpreter(tmp_path: Path) -> None:
    assert interpreter_for("x/sagemaker-xgboost:3.2-0", world_of(tmp_path).config) == Path("/jobs/bin/python")
    with pytest.raises(UnknownImage, match="pytorch"):
        interpreter_for("x/pytorch:2", world_of(tmp_path).config)


def test_a_container_inherits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARMIN_PASSWORD", "hunter2")

    environment = base_environment(world_of(tmp_path), Path("/jobs/bin/python"), tmp_path, threads=2)

    assert "GARMIN_PASSWORD" not in environment
    assert environment["PATH"].startswith("/jobs/bin:")
    assert environment["OMP_NUM_THREADS"] == "2"


def test_metrics_keep_the_last_value() -> None:
    catcher = MetricCatcher([{"Name": "crps", "Regex": "crps=([0-9.e-]+)"}])
    at = datetime(2026, 1, 1)

    assert catcher.read("crps=0.5 crps=0.25", at) == {"crps": 0.25}
    assert catcher.read("crps=e", at) == {}
    assert catcher.final() == [{"MetricName": "crps", "Value": 0.25, "Timestamp": at}]
    with pytest.raises(ValidationException):
        MetricCatcher([{"Name": "bad", "Regex": "("}])


def test_constraints_speak_as_aws_does() -> None:
    with pytest.raises(ValidationException) as error:
        constraints.check("DescribeTrainingJob", {"TrainingJobName": "a_b"})
    assert str(error.value.message).startswith(
        "1 validation error detected: Value 'a_b' at 'trainingJobName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: "
    )
    with pytest.raises(ValidationException, match="Value null at 'trainingJobName'"):
        constraints.check("DescribeTrainingJob", {})
    constraints.check("DescribeTrainingJob", {"TrainingJobName": "fine"})


@pytest.mark.parametrize(
    ("request_field", "value", "is_taken"),
    [
        ("ApprovalDescription", "one line", True),
        ("ApprovalDescription", "two\nlines", False),
        ("CustomerMetadataProperties", {"served_by": "1-7=persistence 8-14=forecaster"}, True),
        ("CustomerMetadataProperties", {"served_by": '{"1-7": "persistence"}'}, False),
        ("CustomerMetadataProperties", {"reason": "two\nlines"}, False),
    ],
)
def test_patterns_are_held_as_aws_writes_them(request_field: str, value: Any, is_taken: bool) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/x/1"
    request = {"ModelPackageArn": arn, request_field: value}
    if is_taken:
        constraints.check("UpdateModelPackage", request)
    else:
        with pytest.raises(ValidationException, match="regular expression pattern"):
            constraints.check("UpdateModelPackage", request)


CONNECT = "import socket; socket.create_connection(('127.0.0.1', 1), 5)"


def test_an_isolated_process_has_no_interface(tmp_path: Path) -> None:
    if not opt_ml.can_isolate():
        pytest.skip(opt_ml.NETWORK_SHARED)
    code = "print(open('/proc/net/route').read().count(chr(10)), open('/proc/net/dev').read().count(':'))"
    isolated = Launch(tmp_path, (PYTHON, "-c", code), {"PATH": "/usr/bin:/bin"}, "/opt/ml", is_isolated=True)

    output = opt_ml.start(isolated, die_with_parent=True).communicate()[0].decode().split()

    assert output == ["0", "1"], "no route at all, no interface but a loopback that is down"


def test_without_namespaces_an_isolated_process_runs_and_the_lack_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opt_ml, "can_isolate", lambda: False)
    isolated = Launch(tmp_path, (PYTHON, "-c", CONNECT), {"PATH": "/usr/bin:/bin"}, "/opt/ml", is_isolated=True)

    output = opt_ml.start(isolated, die_with_parent=True).communicate()[0].decode()

    assert "Connection refused" in output
    assert opt_ml.NETWORK_SHARED in opt_ml.warnings(wants_isolation=True)
    assert opt_ml.NETWORK_SHARED not in opt_ml.warnings(wants_isolation=False)


def test_archives_round_trip(tmp_path: Path) -> None:
    (tmp_path / "from" / "deep").mkdir(parents=True)
    (tmp_path / "from" / "deep" / "x").write_text("1")

    archives.unpack(archives.pack(tmp_path / "from"), tmp_path / "to")

    assert (tmp_path / "to" / "deep" / "x").read_text() == "1"
    with pytest.raises(archives.BadArchive):
        archives.unpack(b"no tar", tmp_path / "bad")


def test_events_carry_times_in_milliseconds_or_as_text(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    world = world_of(tmp_path)
    world.event_sinks.append(events.append)
    detail = {"TrainingJobName": "t", "CreationTime": datetime(2026, 1, 1), "FailureReason": None}

    publish(world, "Training Job", "arn:t", detail)
    publish(world, "Model Package", "arn:p", detail, epoch_ms=False)

    assert events[0]["source"] == "aws.sagemaker"
    assert events[0]["detail-type"] == "SageMaker Training Job State Change"
    assert events[0]["resources"] == ["arn:t"]
    assert events[0]["detail"] == {"TrainingJobName": "t", "CreationTime": 1767225600000}
    assert events[1]["detail"]["CreationTime"] == "2026-01-01T00:00:00Z"
