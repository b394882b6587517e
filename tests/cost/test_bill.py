"""A bill is the sum of its lines, grows with the athletes, and is what the prices and quantities make it."""

from itertools import pairwise
from pathlib import Path

import pytest

from infra.cost.bill import (
    INTERFACE_ENDPOINTS,
    Airflow,
    Choice,
    Endpoint,
    Group,
    Network,
    bill,
    break_even_requests,
    endpoint_usd,
    endpoints_from_gb,
    first_load_usd,
)
from infra.cost.prices import read_prices
from infra.cost.quantities import HOURS_A_MONTH, Quantities

ROOT = Path(__file__).parents[2]
PRICES = read_prices()
CHOICES = [
    Choice(airflow, network, endpoint, hours, hours)
    for airflow in Airflow
    for network in Network
    for endpoint in Endpoint
    for hours in (HOURS_A_MONTH, 100.0)
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_the_total_equals_its_lines_and_its_groups(choice: Choice) -> None:
    month = bill(100, choice, PRICES)
    assert month.total_usd == pytest.approx(sum(line.usd for line in month.lines))
    assert month.total_usd == pytest.approx(sum(month.of_group(group) for group in Group))
    assert all(line.usd >= 0 for line in month.lines)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_more_athletes_never_cost_less_in_any_line_and_more_in_all(choice: Choice) -> None:
    bills = [bill(athletes, choice, PRICES) for athletes in (1, 2, 25, 26, 100, 999, 1_000, 2_749, 2_750, 10_000)]
    for fewer, more in pairwise(bills):
        assert more.total_usd > fewer.total_usd
        assert all(b.usd >= a.usd for a, b in zip(fewer.lines, more.lines, strict=True))


def test_a_line_is_quantity_times_price() -> None:
    lines = {line.name: line.usd for line in bill(1_000, Choice(), PRICES).lines}
    assert lines["MWAA, mw1.small"] == pytest.approx(730 * 0.49)
    offline_gb = (5 * 365 + 365 * (4 + 1_000)) * 25 / 1e6
    assert lines["S3, storage"] == pytest.approx((25 + offline_gb) * 0.023)
    assert lines["Feature Store, online"] == pytest.approx(1_000 * 730 / 24 * (2 * 1.25e-6 + 0.25e-6))


def test_the_days_of_a_first_load_are_paid_once_for_all_athletes_of_it() -> None:
    alone, of_ten = (first_load_usd(athletes, PRICES) for athletes in (1, 10))
    assert 10 * alone - of_ten == pytest.approx(9 * 5 * 365 * PRICES.usd("s3_put"))


def test_airflow_at_home_pays_neither_for_airflow_nor_for_a_network_of_few_athletes() -> None:
    month = bill(10, Choice(airflow=Airflow.LAPTOP), PRICES)
    assert month.of_group(Group.AIRFLOW) == month.of_group(Group.NETWORK) == 0
    assert month.total_usd < 5


def test_an_instance_costs_by_its_hours_and_serverless_by_its_requests() -> None:
    few, many = Quantities(1), Quantities(1_000)
    instance = Choice(endpoint=Endpoint.M5_LARGE, endpoint_hours=365)
    assert endpoint_usd(few, instance, PRICES) == endpoint_usd(many, instance, PRICES) == pytest.approx(365 * 0.115)
    assert endpoint_usd(few, Choice(), PRICES) < endpoint_usd(many, Choice(), PRICES)


@pytest.mark.parametrize("endpoint", [Endpoint.T2_MEDIUM, Endpoint.M5_LARGE])
def test_serverless_and_instance_cost_the_same_at_the_break_even(endpoint: Endpoint) -> None:
    requests = break_even_requests(endpoint, PRICES)
    serverless_usd = requests * 0.1 * PRICES.usd("serverless_2048_mb_second")
    assert serverless_usd == pytest.approx(endpoint_usd(Quantities(1), Choice(endpoint=endpoint), PRICES))


def test_nat_and_interface_endpoints_cost_the_same_at_their_break_even() -> None:
    gb = endpoints_from_gb(PRICES)
    nat_usd = 730 * (0.045 + 0.005) + gb * 0.045
    assert nat_usd == pytest.approx(730 * INTERFACE_ENDPOINTS * 2 * 0.01 + gb * 0.01)


def test_the_endpoints_are_those_of_the_stack() -> None:
    template = (ROOT / "infra/stacks/mwaa.yaml").read_text()
    assert template.count("VpcEndpointType: Interface") == INTERFACE_ENDPOINTS
    assert template.count("Type: AWS::EC2::NatGateway") == 1


def test_the_alarms_are_those_of_the_stack() -> None:
    from infra.cost.quantities import ALARMS

    assert (ROOT / "infra/stacks/serving.yaml").read_text().count("Type: AWS::CloudWatch::Alarm") == ALARMS


def test_training_that_no_instance_of_the_table_holds_is_said() -> None:
    with pytest.raises(ValueError, match="need 52 GiB to train, more than the table has"):
        bill(20_000, Choice(), PRICES)


def test_no_athletes_have_no_bill() -> None:
    with pytest.raises(ValueError, match="0 athletes"):
        bill(0, Choice(), PRICES)
