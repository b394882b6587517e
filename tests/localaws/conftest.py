"""A real local AWS, a process of its own on a free port, for a test module."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest

ROOT = Path(__file__).parents[2]
JOBS_PYTHON = ROOT / ".venvs/jobs/bin/python"
ACCOUNT_ID = "123456789012"
SAGEMAKER, LAMBDA = "sagemaker.amazonaws.com", "lambda.amazonaws.com"

Statement = Mapping[str, Any]


def allow(action: str | Sequence[str], resource: str | Sequence[str] = "*", **more: Any) -> Statement:
    """A policy statement that allows actions on resources; `Condition` and `Sid` may be added."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def policy_document(*statements: Statement) -> str:
    """Policy statements as the JSON that IAM takes."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def role_arn_of(name: str) -> str:
    """The ARN of a role of the account of local AWS."""
    return f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"


S3_GRANTS = (
    allow(["s3:ListBucket", "s3:GetBucketAcl", "s3:GetBucketLocation"], "arn:aws:s3:::*"),
    allow(["s3:GetObject", "s3:PutObject", "s3:PutObjectAcl"], "arn:aws:s3:::*/*"),
)
LOG_GRANTS = (allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]),)
IMAGE_GRANTS = (
    allow("ecr:GetAuthorizationToken"),
    allow(
        ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "arn:aws:ecr:*:*:repository/*",
    ),
)
METRIC_GRANTS = (allow("cloudwatch:PutMetricData"),)
SERVICE_GRANTS = (*S3_GRANTS, *LOG_GRANTS, *IMAGE_GRANTS, *METRIC_GRANTS)
"""What a job, a model, a feature group or a function needs to work on any bucket."""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"local AWS ended with {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("local AWS did not come up")


class LocalAws:
    """A running server and boto3 clients for it."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.options = options
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "infra.localaws", "--port", str(self.port), "--state", str(self.state)]
        self.process = subprocess.Popen([*command, "--jobs-python", str(JOBS_PYTHON), *self.options], cwd=ROOT)
        wait_for_port(self.port, self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(15)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(15)

    def make_role(self, name: str, service: str = SAGEMAKER, *statements: Statement) -> str:
        """Make a role that a service may assume, or give the one of this name these statements.

        Args:
            service: the principal that the role trusts, e.g. `lambda.amazonaws.com`.
            statements: what the role may do; SERVICE_GRANTS where none are given.

        Returns:
            Its ARN.
        """
        iam = self.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy_document(trust))
        document = policy_document(*(statements or SERVICE_GRANTS))
        iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=document)
        return role_arn_of(name)

    def client(self, service: str, **config: Any) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            **config,
        )


@pytest.fixture(scope="module")
def localaws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    server = LocalAws(tmp_path_factory.mktemp("localaws"))
    server.start()
    yield server
    server.stop()
