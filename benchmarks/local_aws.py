"""Local AWS: how fast it starts and how fast an endpoint answers."""

import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from benchmarks.results import Result
from include.settings import settings

ROOT = Path(__file__).parents[1]
STARTS = 5
CALLS = 500


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def client(service: str, port: int) -> Any:
    """A boto3 client of the server on `port`."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def wait_until_answering(port: int, process: subprocess.Popen[bytes], limit_s: float = 60) -> None:
    """Until an AWS request is answered (S3's list of buckets): a port that is open says nothing yet."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=limit_s) as answer:
                answer.read()
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with {process.returncode}") from None
            time.sleep(0.01)
    raise TimeoutError(f"nothing answers on port {port}")


@contextmanager
def running(command: list[str], port: int) -> Iterator[float]:
    """A server process; yields the seconds until it answered."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_answering(port, process)
        yield time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(30)


def local_aws_command(state: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "infra.localaws", "--port", str(port), "--state", str(state)]


def stock_moto_command(port: int) -> list[str]:
    return [str(Path(sys.executable).parent / "moto_server"), "-p", str(port)]


def _start_s(command_for: Callable[[int], list[str]]) -> float:
    figures = []
    for _ in range(STARTS):
        port = free_port()
        with running(command_for(port), port) as seconds:
            figures.append(seconds)
    return statistics.median(figures)


def measure_start(work: Path) -> list[Result]:
    """From the command to the first answer, on an empty state; beside stock moto's server."""
    ours = _start_s(lambda port: local_aws_command(work / f"empty-{port}", port))
    stock = _start_s(stock_moto_command)
    return [Result("localaws_start_s", ours, "s", 1.5, f"{stock:.2f} s: stock moto_server (executes nothing)")]


def p50_ms(call: Callable[[], object]) -> float:
    """Median of CALLS calls after a warm-up."""
    for _ in range(20):
        call()
    figures = []
    for _ in range(CALLS):
        started = time.perf_counter()
        call()
        figures.append((time.perf_counter() - started) * 1e3)
    return statistics.median(figures)


def client_of_role(service: str, port: int, role: str, trusted: str) -> Any:
    """A boto3 client under a role, with the credentials that a container of the trusted service gets."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_localaws/credentials/{trusted}/{role}") as answer:
        found = json.load(answer)
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["Token"],
    )


def measure_invoke(work: Path) -> list[Result]:
    """InvokeEndpoint through boto3, under the role of the API's function, beside the administrator, who is not checked:
    one athlete, 42 horizons, the model that `run_to_forecast_s` deployed."""
    from benchmarks.chain import deployed_state

    state = deployed_state(work)
    port = free_port()
    with running(local_aws_command(state, port), port):
        body = json.dumps(_request(port))
        endpoint = client("sagemaker", port).list_endpoints()["Endpoints"][0]["EndpointName"]
        role = f"{settings().project}-api"
        runtime = client_of_role("sagemaker-runtime", port, role, "lambda.amazonaws.com")
        ours = p50_ms(_invocation(runtime, endpoint, body))
        unchecked = p50_ms(_invocation(client("sagemaker-runtime", port), endpoint, body))
    port = free_port()
    with running(stock_moto_command(port), port):
        runtime = client("sagemaker-runtime", port)
        stock = p50_ms(_invocation(runtime, "any", body))
    versus = (
        f"{unchecked:.2f} ms: without IAM, as the administrator; "
        f"{stock:.1f} ms: stock moto_server, which answers a constant"
    )
    return [Result("invoke_p50_ms", ours, "ms", 3.0, versus)]


def _invocation(runtime: Any, endpoint: str, body: str) -> Callable[[], bytes]:
    def invoke() -> bytes:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="application/json", Body=body)
        return bytes(answer["Body"].read())

    return invoke


def _request(port: int) -> dict[str, Any]:
    """The request that the API's Lambda sends for the first athlete."""
    from include.features.schema import FEATURES
    from include.garmin.registry import read_registry

    records = client("sagemaker-featurestore-runtime", port)
    athlete_id = read_registry(client("s3", port), settings().bucket)[0].athlete_id
    group = settings().feature_group
    record = records.get_record(FeatureGroupName=group, RecordIdentifierValueAsString=athlete_id)["Record"]
    held = {item["FeatureName"]: item["ValueAsString"] for item in record}
    features = {f.name: float(held[f.name]) for f in FEATURES if f.name in held}
    return {"instances": [{"features": features, "horizons": list(range(1, 43))}]}
