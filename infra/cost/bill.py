"""A month's bill: quantities times prices, a line for each thing that costs, for a choice of how it is run."""

from dataclasses import dataclass
from enum import StrEnum

from infra.cost import quantities as q
from infra.cost.prices import Prices
from infra.cost.quantities import HOURS_A_MONTH, Quantities

INTERFACE_ENDPOINTS = 14
"""Those of `infra/stacks/mwaa.yaml` with Network=endpoints; S3's is a gateway and costs nothing."""
AVAILABILITY_ZONES = 2
JOB_INSTANCES = ((8.0, "ml_m5_large_hour"), (16.0, "ml_m5_xlarge_hour"), (32.0, "ml_m5_2xlarge_hour"))
"""GiB of memory and price; a build takes the smallest whose memory holds the training."""
FREE_INTERNET_GB = 100.0
"""What may leave AWS each month for nothing; no free tier of the first year."""
MEMORY_SHARE = 0.9
"""The system and the container take the rest."""


class Group(StrEnum):
    """What a line belongs to, for the chart."""

    AIRFLOW = "Airflow"
    NETWORK = "network"
    SERVING = "serving"
    JOBS = "jobs"
    DATA = "data"
    LOGS = "logs"


class Airflow(StrEnum):
    """Where Airflow runs."""

    MWAA_SMALL = "mw1.small"
    LAPTOP = "laptop or NAS"


class Network(StrEnum):
    """How MWAA's private subnets reach AWS and Garmin."""

    NAT = "NAT gateway"
    ENDPOINTS = "interface endpoints"


class Endpoint(StrEnum):
    """What answers forecasts."""

    SERVERLESS = "serverless"
    T2_MEDIUM = "ml.t2.medium"
    M5_LARGE = "ml.m5.large"


@dataclass(frozen=True)
class Choice:
    """How a deployment is run; the defaults are what this project advises."""

    airflow: Airflow = Airflow.MWAA_SMALL
    network: Network = Network.NAT
    endpoint: Endpoint = Endpoint.SERVERLESS
    airflow_hours: float = HOURS_A_MONTH
    """Hours a month in which the environment and its network are there; the rest of the time they are deleted."""
    endpoint_hours: float = HOURS_A_MONTH
    """Hours a month in which an instance endpoint is there, by StartSchedule and StopSchedule."""


@dataclass(frozen=True)
class Line:
    """One line of a bill."""

    group: Group
    name: str
    usd: float


@dataclass(frozen=True)
class Bill:
    """What a month costs."""

    athletes: int
    lines: tuple[Line, ...]

    @property
    def total_usd(self) -> float:
        return sum(line.usd for line in self.lines)

    def of_group(self, group: Group) -> float:
        """US dollars of one group's lines."""
        return sum(line.usd for line in self.lines if line.group == group)


def bill(athletes: int, choice: Choice, prices: Prices) -> Bill:
    """The bill of a month with `athletes`, after their history was loaded.

    Raises:
        PriceUnknown: of something that `choice` takes.
        ValueError: no athletes, or more than a single training instance of the table holds.
    """
    if athletes < 1:
        raise ValueError(f"{athletes} athletes cost nothing")
    month = Quantities(athletes)
    lines = [*_airflow(month, choice, prices), *_serving(month, choice, prices), *_jobs(month, prices)]
    return Bill(athletes, (*lines, *_data(month, prices), *_logs(month, choice, prices)))


def _airflow(month: Quantities, choice: Choice, prices: Prices) -> list[Line]:
    if choice.airflow == Airflow.LAPTOP:
        paid_gb = max(0.0, month.read_gb - FREE_INTERNET_GB)
        return [Line(Group.NETWORK, "what the tasks read, out of AWS", paid_gb * prices.usd("internet_gb"))]
    share = choice.airflow_hours / HOURS_A_MONTH
    return [
        Line(Group.AIRFLOW, "MWAA, mw1.small", choice.airflow_hours * prices.usd("mwaa_small_hour")),
        Line(Group.AIRFLOW, "further workers, at most", month.worker_hours * prices.usd("mwaa_small_worker_hour")),
        Line(Group.AIRFLOW, "Airflow's database", share * month.database_gb * prices.usd("mwaa_database_gb")),
        _network(month, choice, prices),
    ]


def _network(month: Quantities, choice: Choice, prices: Prices) -> Line:
    if choice.network == Network.NAT:
        hour = prices.usd("nat_hour") + prices.usd("public_address_hour")
        gb = prices.usd("nat_gb")
    else:
        hour = INTERFACE_ENDPOINTS * AVAILABILITY_ZONES * prices.usd("interface_endpoint_hour")
        gb = prices.usd("interface_endpoint_gb")
    return Line(Group.NETWORK, choice.network.value, choice.airflow_hours * hour + month.traffic_gb * gb)


def endpoint_usd(month: Quantities, choice: Choice, prices: Prices) -> float:
    """What the endpoint alone costs."""
    if choice.endpoint == Endpoint.SERVERLESS:
        busy_s = month.requests * q.INFERENCE_S + month.cold_starts * q.COLD_START_S
        return busy_s * prices.usd("serverless_2048_mb_second")
    return choice.endpoint_hours * prices.usd(_instance_price(choice.endpoint))


def break_even_requests(endpoint: Endpoint, prices: Prices) -> float:
    """From how many requests a month on an instance that is always there costs less than serverless."""
    instance_usd = HOURS_A_MONTH * prices.usd(_instance_price(endpoint))
    return instance_usd / (q.INFERENCE_S * prices.usd("serverless_2048_mb_second"))


def endpoints_from_gb(prices: Prices) -> float:
    """From how many GB a month on interface endpoints cost less than a NAT gateway."""
    nat_hour = prices.usd("nat_hour") + prices.usd("public_address_hour")
    endpoints_hour = INTERFACE_ENDPOINTS * AVAILABILITY_ZONES * prices.usd("interface_endpoint_hour")
    return HOURS_A_MONTH * (endpoints_hour - nat_hour) / (prices.usd("nat_gb") - prices.usd("interface_endpoint_gb"))


def first_load_usd(athletes: int, prices: Prices) -> float:
    """What it costs once to bring the years of athletes in one run: documents and tables, features in bulk."""
    documents = q.HISTORY_YEARS * 365 * 3
    puts = athletes * (documents + q.TABLES * q.MONTHS_OF_HISTORY) + q.DAY_FILES_OF_HISTORY
    online = q.WRITE_UNITS_OF_A_RECORD * prices.usd("feature_store_write_unit")
    return puts * prices.usd("s3_put") + athletes * (documents * prices.usd("s3_get") + online)


def _instance_price(endpoint: Endpoint) -> str:
    return endpoint.value.replace(".", "_") + "_hour"


def _serving(month: Quantities, choice: Choice, prices: Prices) -> list[Line]:
    function_usd = prices.usd("lambda_request") + q.LAMBDA_GB * q.LAMBDA_S * prices.usd("lambda_gb_second")
    asking = prices.usd("api_request") + function_usd + prices.usd("feature_store_read_unit") + prices.usd("s3_get")
    return [
        Line(Group.SERVING, f"endpoint, {choice.endpoint.value}", endpoint_usd(month, choice, prices)),
        Line(Group.SERVING, "API Gateway, Lambda and their reads", month.requests * asking),
    ]


def _jobs(month: Quantities, prices: Prices) -> list[Line]:
    fitting = [price for gib, price in JOB_INSTANCES if month.job_gib <= gib * MEMORY_SHARE]
    if not fitting:
        raise ValueError(f"{month.athletes} athletes need {month.job_gib:.0f} GiB to train, more than the table has")
    return [Line(Group.JOBS, "preprocess, train, evaluate", month.job_hours * prices.usd(fitting[0]))]


def _data(month: Quantities, prices: Prices) -> list[Line]:
    requests = month.s3_gets * prices.usd("s3_get") + month.s3_puts * prices.usd("s3_put")
    written, read = (prices.usd(f"feature_store_{name}_unit") for name in ("write", "read"))
    return [
        Line(Group.DATA, "S3, requests", requests),
        Line(Group.DATA, "S3, storage", month.s3_gb * prices.usd("s3_gb")),
        Line(Group.DATA, "Feature Store, online", month.write_units * written + month.read_units * read),
    ]


def _logs(month: Quantities, choice: Choice, prices: Prices) -> list[Line]:
    served_gb = month.requests * q.LOG_KB_OF_A_REQUEST / 1e6
    gb = served_gb if choice.airflow == Airflow.LAPTOP else month.log_gb
    return [Line(Group.LOGS, "logs and alarms", gb * prices.usd("log_gb") + q.ALARMS * prices.usd("alarm_month"))]
