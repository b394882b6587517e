"""GET …/forecast through API Gateway, Lambda, feature store and endpoint, at eight clients at once."""

import http.client
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.chain import deployed_state
from benchmarks.local_aws import client, free_port, local_aws_command, running
from benchmarks.results import Result
from include.features.schema import FEATURES
from include.garmin.registry import read_registry
from include.settings import settings

CLIENTS = 8
REQUESTS_PER_CLIENT = 150
WARM_UP = 20


def _percentiles_ms(request: Callable[[int], Callable[[], None]]) -> tuple[float, float]:
    """p50 and p99 of CLIENTS threads, each with a connection of its own, asking without pause."""

    def one_client(number: int) -> list[float]:
        ask = request(number)
        for _ in range(WARM_UP):
            ask()
        figures = []
        for _ in range(REQUESTS_PER_CLIENT):
            started = time.perf_counter()
            ask()
            figures.append((time.perf_counter() - started) * 1e3)
        return figures

    with ThreadPoolExecutor(CLIENTS) as pool:
        figures = [figure for batch in pool.map(one_client, range(CLIENTS)) for figure in batch]
    quantiles = statistics.quantiles(figures, n=100)
    return quantiles[49], quantiles[98]


def _over_rest(port: int, athletes: list[str]) -> Callable[[int], Callable[[], None]]:
    gateway = client("apigateway", port)
    api = gateway.get_rest_apis()["items"][0]["id"]
    stage = gateway.get_stages(restApiId=api)["item"][0]["stageName"]
    key = gateway.get_api_keys(includeValues=True)["items"][0]["value"]
    base = urlsplit(f"http://127.0.0.1:{port}/restapis/{api}/{stage}/_user_request_/athletes/")

    def for_client(number: int) -> Callable[[], None]:
        connection = http.client.HTTPConnection(base.netloc)
        path = f"{base.path}{athletes[number % len(athletes)]}/forecast"

        def ask() -> None:
            connection.request("GET", path, headers={"x-api-key": key})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path} answered {answer.status}: {body[:300]!r}")

        return ask

    return for_client


def _over_boto3(port: int, athletes: list[str]) -> Callable[[int], Callable[[], None]]:
    """What a user would write without the API: read the record, ask the endpoint."""

    def for_client(number: int) -> Callable[[], None]:
        records, runtime = client("sagemaker-featurestore-runtime", port), client("sagemaker-runtime", port)

        def ask() -> None:
            record = records.get_record(
                FeatureGroupName=settings().feature_group,
                RecordIdentifierValueAsString=athletes[number % len(athletes)],
            )["Record"]
            held = {item["FeatureName"]: item["ValueAsString"] for item in record}
            features = {f.name: float(held[f.name]) for f in FEATURES if f.name in held}
            body = json.dumps({"instances": [{"features": features, "horizons": list(range(1, 43))}]})
            runtime.invoke_endpoint(EndpointName=settings().endpoint, ContentType="application/json", Body=body)[
                "Body"
            ].read()

        return ask

    return for_client


def measure(work: Path) -> list[Result]:
    """p50 and p99 at eight clients on the two cores that also serve; beside boto3 calls without the API."""
    port = free_port()
    with running(local_aws_command(deployed_state(work), port), port):
        athletes = [athlete.athlete_id for athlete in read_registry(client("s3", port), settings().bucket)]
        p50, p99 = _percentiles_ms(_over_rest(port, athletes))
        boto3_p50, boto3_p99 = _percentiles_ms(_over_boto3(port, athletes))
    return [
        Result("forecast_p50_ms", p50, "ms", 8.0, f"{boto3_p50:.1f} ms: GetRecord + InvokeEndpoint by boto3"),
        Result("forecast_p99_ms", p99, "ms", 25.0, f"{boto3_p99:.1f} ms: GetRecord + InvokeEndpoint by boto3"),
    ]
