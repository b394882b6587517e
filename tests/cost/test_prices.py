"""Every price has a unit, a page and a day; what nobody could say is not computed with."""

from datetime import date
from pathlib import Path

import pytest

from infra.cost.prices import PriceUnknown, read_prices


def test_every_price_has_a_unit_a_page_of_aws_and_a_day() -> None:
    prices = read_prices()
    assert prices.region == "us-east-1"
    assert len(prices.by_name) > 20
    for price in prices.by_name.values():
        assert price.unit
        assert price.source.startswith("https://aws.amazon.com/")
        assert date(2026, 1, 1) <= price.as_of <= date.today()
        assert price.verified or price.note, f"{price.name}: say why it could not be verified"


def test_what_nobody_could_say_is_not_computed_with() -> None:
    with pytest.raises(PriceUnknown, match="mwaa_micro_hour"):
        read_prices().usd("mwaa_micro_hour")
    with pytest.raises(PriceUnknown, match="moonlight"):
        read_prices().usd("moonlight")


ENTRY = 'usd = 1.0\nunit = "hour"\nsource = "https://aws.amazon.com/x/"\nas_of = 2026-11-26\nverified = true\n'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('unit = "hour"\n', ""), "unit"),
        (("as_of = 2026-11-26\n", ""), "as_of"),
        (("as_of = 2026-11-26", 'as_of = "lately"'), "needs a date"),
        (("https://", ""), "needs a date, a unit and the page"),
        (("usd = 1.0", "usd = 0.0"), "no price"),
        (("usd = 1.0\n", ""), "verified and has no price"),
        (("verified", "checked"), "checked"),
    ],
)
def test_an_entry_that_lacks_something_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    table = tmp_path / "prices.toml"
    table.write_text(f'region = "us-east-1"\n[thing]\n{ENTRY.replace(*change)}')
    with pytest.raises(ValueError, match=message):
        read_prices(table)
