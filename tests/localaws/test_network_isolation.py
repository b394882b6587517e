"""What a machine shows that denies network namespaces: one line at the start, one in the log of each isolated job."""

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localaws.conftest import LocalAws
from tests.localaws.sagemaker_requests import (
    CONNECT,
    end_of_processing,
    log_lines,
    make_bucket,
    processing_request,
    wait_until,
)

WITHOUT_NET = """#!/bin/sh
for argument in "$@"; do
  if [ "$argument" = --net ]; then echo "unshare: unshare failed: Operation not permitted" >&2; exit 1; fi
done
exec {unshare} "$@"
"""
LINE = "this machine denies network namespaces; what asks for network isolation runs with the network of this machine"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """A local AWS whose `unshare` makes no network namespaces; it writes stderr to a file beside its state."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("this machine has no unshare")
    (tmp_path / "unshare").write_text(WITHOUT_NET.format(unshare=unshare))
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    server = LocalAws(tmp_path / "state")
    with (tmp_path / "stderr").open("wb") as stderr:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", functools.partial(subprocess.Popen, stderr=stderr))
            server.start()
        yield server
        server.stop()


def test_the_lack_is_said_at_the_start_and_in_the_job_s_log(server: LocalAws, tmp_path: Path) -> None:
    assert wait_until(lambda: (tmp_path / "stderr").read_text().count(LINE)) == 1
    make_bucket(server)
    request = processing_request(
        "isolated", CONNECT.format(port=server.port), NetworkConfig={"EnableNetworkIsolation": True}
    )
    server.client("sagemaker").create_processing_job(**request)

    assert end_of_processing(server, "isolated")["ProcessingJobStatus"] == "Completed"

    lines = log_lines(server, "/aws/sagemaker/ProcessingJobs", "isolated/")
    assert any(LINE in line for line in lines)
