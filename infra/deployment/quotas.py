"""What the quotas of an AWS account say about a deployment: instances, environments, networks, functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.deployment.findings import Finding, Place

INSTANCES_DURING_UPDATE = 2
"""SageMaker starts the new instances of an endpoint before it ends the old ones."""
NEW_ACCOUNT_CONCURRENCY = 10
"""What AWS gives a new account in place of 1000."""
CONSOLE = "https://{region}.console.aws.amazon.com/servicequotas/home/services/{service}/quotas"


@dataclass(frozen=True)
class Need:
    """How much of a quota a deployment takes, beside what is `used` already."""

    service: str
    quota: str
    """The name that Service Quotas shows, or its beginning; case does not count."""
    amount: int
    purpose: str
    used: int = 0


def check_instances(place: Place) -> Iterator[Finding]:
    """Instances of SageMaker for jobs and endpoint; a new account often has none of a type."""
    yield from _judge(place, _needs_of_sagemaker(place))


def check_airflow_quotas(place: Place) -> Iterator[Finding]:
    """The environment of Amazon MWAA and its network; nothing once they are there."""
    if place.deploys_mwaa and not place.stack_exists("mwaa"):
        yield from _judge(place, _needs_of_airflow(place))


def check_concurrency(place: Place) -> Iterator[Finding]:
    """How many functions the account runs at once."""
    name = "quota: Lambda concurrency"
    limit = place.clients("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if limit > NEW_ACCOUNT_CONCURRENCY:
        yield Finding(name, "ok", f"{limit} functions at once")
        return
    page = CONSOLE.format(region=place.settings.region, service="lambda")
    yield Finding(
        name, "warning", f"the API answers {limit} requests at once, as in any new account: ask for more at {page}"
    )


def _needs_of_sagemaker(place: Place) -> list[Need]:
    chosen, settings = place.parameter, place.settings
    jobs = settings.job_instance_type
    found = [
        Need("sagemaker", f"{jobs} for processing job usage", 1, "datasets and evaluation"),
        Need("sagemaker", f"{jobs} for training job usage", 1, "training"),
    ]
    if chosen("serving", "EndpointMode", settings.endpoint_mode, "instance") == "instance":
        kind = chosen("serving", "EndpointInstanceType", settings.endpoint_instance_type, "ml.t2.medium")
        count = int(chosen("serving", "EndpointInstanceCount", settings.endpoint_instance_count, "1"))
        purpose = "the endpoint, whose update starts the new instances before the old ones end"
        found.append(Need("sagemaker", f"{kind} for endpoint usage", count * INSTANCES_DURING_UPDATE, purpose))
    return found


def _needs_of_airflow(place: Place) -> list[Need]:
    environments = place.clients("mwaa").get_paginator("list_environments").paginate()
    found = [Need("airflow", "environments", 1, "Airflow", sum(len(page["Environments"]) for page in environments))]
    network, ec2 = place.parameter("mwaa", "Network", None, "nat"), place.clients("ec2")
    if network != "existing":
        vpcs = sum(len(page["Vpcs"]) for page in ec2.get_paginator("describe_vpcs").paginate())
        found.append(Need("vpc", "VPCs per Region", 1, "Airflow's network", vpcs))
    if network == "nat":
        addresses = len(ec2.describe_addresses()["Addresses"])
        found.append(Need("ec2", "EC2-VPC Elastic IPs", 1, "the NAT gateway", addresses))
    return found


def _judge(place: Place, needs: list[Need]) -> Iterator[Finding]:
    values: dict[str, dict[str, float]] = {}
    for need in needs:
        if need.service not in values:
            values[need.service] = _values(place.clients("service-quotas"), need.service)
        yield _judged(place, need, values[need.service])


def _values(service_quotas: Any, service: str) -> dict[str, float]:
    """The account's quotas of a service, by name in lower case."""
    pages = service_quotas.get_paginator("list_service_quotas").paginate(
        ServiceCode=service, PaginationConfig={"PageSize": 100}
    )
    return {quota["QuotaName"].lower(): quota["Value"] for page in pages for quota in page["Quotas"]}


def _judged(place: Place, need: Need, values: dict[str, float]) -> Finding:
    name, wanted = f"quota: {need.quota}", need.quota.lower()
    found = [value for quota, value in values.items() if quota.startswith(wanted)]
    if not found:
        return Finding(
            name, "warning", f"Service Quotas lists none of this name for {need.service}: look it up by hand"
        )
    if found[0] - need.used >= need.amount:
        return Finding(name, "ok", f"{found[0]:.0f}, and {need.amount} wanted for {need.purpose}")
    used = f", {need.used} in use" if need.used else ""
    page = CONSOLE.format(region=place.settings.region, service=need.service)
    return Finding(
        name,
        "blocker",
        f"{found[0]:.0f}{used}, {need.amount} wanted for {need.purpose}: ask for more at {page} (takes up to two days)",
    )
