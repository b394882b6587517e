"""docs/cost.md: what a month costs, and what each choice changes about it. Its words stand in `template.md`."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from infra.cost import quantities as q
from infra.cost.bill import (
    AVAILABILITY_ZONES,
    INTERFACE_ENDPOINTS,
    Airflow,
    Bill,
    Choice,
    Endpoint,
    Network,
    bill,
    break_even_requests,
    endpoint_usd,
    endpoints_from_gb,
    first_load_usd,
)
from infra.cost.prices import Prices
from infra.cost.quantities import HOURS_A_MONTH, Quantities

TEMPLATE = Path(__file__).with_name("template.md")
ATHLETES = (1, 100, 1_000, 10_000)
WAKING_HOURS_A_DAY = 16
NIGHTLY_HOURS_A_DAY = 3
"""The daily run and, once a week, a build; an environment takes up to half an hour to come up."""


def advised_bills(prices: Prices) -> list[Bill]:
    """A month as this project advises it, for each number of athletes."""
    return [bill(athletes, Choice(), prices) for athletes in ATHLETES]


def page(prices: Prices) -> str:
    """The whole document."""
    advised = advised_bills(prices)
    micro = prices.by_name["mwaa_micro_hour"]
    return TEMPLATE.read_text(encoding="utf-8").format(
        region=prices.region,
        requests_a_day=q.REQUESTS_A_DAY,
        years=q.HISTORY_YEARS,
        reads_a_day=q.READS_A_DAY,
        inference_s=q.INFERENCE_S,
        mwaa_percent=_count(100 * advised[0].lines[0].usd / advised[0].total_usd),
        load_cents=_count(100 * first_load_usd(1, prices)),
        t2_millions=_count(break_even_requests(Endpoint.T2_MEDIUM, prices) / 1e6),
        m5_millions=_count(break_even_requests(Endpoint.M5_LARGE, prices) / 1e6),
        micro_note=micro.note,
        micro_date=f"{micro.as_of:%-d %b %Y}",
        cent_hour=f"{HOURS_A_MONTH / 100:.2f}",
        interface_endpoints=INTERFACE_ENDPOINTS,
        zones=AVAILABILITY_ZONES,
        endpoints_from_gb=_count(endpoints_from_gb(prices)),
        months=_months(advised),
        endpoints=_endpoints(prices),
        airflow=_airflow(prices),
        networks=_networks(prices),
        quantities=_quantities(),
        prices=_prices(prices),
    )


def as_text(month: Bill) -> str:
    """A bill as lines of a terminal."""
    rows = [f"{line.usd:12,.2f}  {line.name}" for line in month.lines]
    return "\n".join([*rows, f"{month.total_usd:12,.2f}  a month for {_athletes(month.athletes)}"])


def _count(number: float, digits: int = 0) -> str:
    """A number with a space between its thousands."""
    return f"{number:,.{digits}f}".replace(",", " ")


def _usd(amount: float) -> str:
    """Whole dollars from ten on, cents below."""
    if amount >= 10:
        return _count(amount)
    return f"{amount:.2f}" if amount >= 0.005 else "<0.01"


def _athletes(number: int) -> str:
    return f"{_count(number)} athlete{'s' * (number > 1)}"


def _table(rows: Iterable[Sequence[str]], head: Sequence[str] = ("", *map(_athletes, ATHLETES))) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _months(advised: Sequence[Bill]) -> str:
    marks = {"Feature Store, online": " †"}
    rows = []
    for number, line in enumerate(advised[0].lines):
        rows.append([line.name + marks.get(line.name, ""), *(_usd(each.lines[number].usd) for each in advised)])
    rows.append(["**total**", *(f"**{_usd(each.total_usd)}**" for each in advised)])
    rows.append(["an athlete", *(_usd(each.total_usd / each.athletes) for each in advised)])
    return _table(rows)


def _endpoints(prices: Prices) -> str:
    waking = WAKING_HOURS_A_DAY / 24 * HOURS_A_MONTH
    choices = {
        "serverless, 2 GB": Choice(endpoint=Endpoint.SERVERLESS),
        "ml.t2.medium †, always": Choice(endpoint=Endpoint.T2_MEDIUM),
        f"ml.t2.medium †, {WAKING_HOURS_A_DAY} h a day": Choice(endpoint=Endpoint.T2_MEDIUM, endpoint_hours=waking),
        "ml.m5.large, always": Choice(endpoint=Endpoint.M5_LARGE),
        f"ml.m5.large, {WAKING_HOURS_A_DAY} h a day": Choice(endpoint=Endpoint.M5_LARGE, endpoint_hours=waking),
    }
    return _table(
        [name, *(_usd(endpoint_usd(Quantities(athletes), choice, prices)) for athletes in ATHLETES)]
        for name, choice in choices.items()
    )


def _airflow(prices: Prices) -> str:
    nightly = NIGHTLY_HOURS_A_DAY / 24 * HOURS_A_MONTH
    choices = {
        "mw1.small, always": Choice(),
        f"mw1.small, {NIGHTLY_HOURS_A_DAY} h a day": Choice(airflow_hours=nightly),
        "Airflow on a laptop or NAS, all else on AWS": Choice(airflow=Airflow.LAPTOP),
    }
    return _table(
        [name, *(_usd(bill(athletes, choice, prices).total_usd) for athletes in ATHLETES)]
        for name, choice in choices.items()
    )


def _networks(prices: Prices) -> str:
    def usd(network: Network, athletes: int) -> float:
        lines = bill(athletes, Choice(network=network), prices).lines
        return sum(line.usd for line in lines if line.name == network.value)

    return _table([network.value, *(_usd(usd(network, athletes)) for athletes in ATHLETES)] for network in Network)


def _quantities() -> str:
    months = [Quantities(athletes) for athletes in ATHLETES]
    return _table(
        [
            ["S3 GET, thousands", *(_count(m.s3_gets / 1e3) for m in months)],
            ["S3 PUT and LIST, thousands", *(_count(m.s3_puts / 1e3) for m in months)],
            ["S3, GB", *(_count(m.s3_gb, 1) for m in months)],
            ["write units of the online store", *(_count(m.write_units) for m in months)],
            ["forecasts asked for", *(_count(m.requests) for m in months)],
            ["hours of jobs", *(_count(m.job_hours, 1) for m in months)],
            ["GiB that the training takes", *(_count(m.job_gib, 1) for m in months)],
            ["tasks of Airflow", *(_count(m.tasks) for m in months)],
            ["worker hours, at most", *(_count(m.worker_hours, 1) for m in months)],
            ["logs, GB", *(_count(m.log_gb, 1) for m in months)],
            ["through the NAT gateway, GB", *(_count(m.traffic_gb, 1) for m in months)],
        ]
    )


def _prices(prices: Prices) -> str:
    rows = [
        [
            f"`{price.name}`" + ("" if price.verified else " †"),
            "unknown" if price.usd is None else f"{price.usd:.10f}".rstrip("0").rstrip("."),
            price.unit,
            f"{price.as_of:%Y-%m-%d}",
            price.source.removeprefix("https://"),
            price.note,
        ]
        for price in prices.by_name.values()
    ]
    return _table(rows, ("price", "$", "unit", "known on", "page of AWS", ""))
