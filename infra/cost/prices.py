"""AWS's list prices, each with its unit, the page that has it and the day on which it was known (`prices.toml`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("prices.toml")


class PriceUnknown(Exception):
    """Nobody could say what a thing costs; the message names it."""


@dataclass(frozen=True)
class Price:
    """What one unit of a thing costs."""

    name: str
    unit: str
    source: str
    """The page of AWS that has it."""
    as_of: date
    verified: bool
    """Whether public pages named this price on that day."""
    usd: float | None = None
    """None where no page names it."""
    note: str = ""


@dataclass(frozen=True)
class Prices:
    """All prices of one region, by name."""

    region: str
    by_name: Mapping[str, Price] = field(default_factory=dict)

    def usd(self, name: str) -> float:
        """US dollars for one unit.

        Raises:
            PriceUnknown: the table has no such price, or nobody could say it.
        """
        price = self.by_name.get(name)
        if price is None or price.usd is None:
            raise PriceUnknown(f"{name}: no price is known; give one with --price {name}=USD")
        return price.usd


def read_prices(path: Path = TABLE) -> Prices:
    """The dated price table.

    Raises:
        ValueError: an entry lacks a unit, a source or a date, or its price is none.
    """
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    region = str(document.pop("region"))
    return Prices(region, {name: _price(name, entry) for name, entry in document.items()})


def _price(name: str, entry: Mapping[str, Any]) -> Price:
    try:
        price = Price(name, **entry)
    except TypeError as error:
        raise ValueError(f"{name} in {TABLE.name}: {error}") from None
    if not isinstance(price.as_of, date) or not price.unit or not price.source.startswith("https://"):
        raise ValueError(f"{name} in {TABLE.name} needs a date, a unit and the page that has the price")
    if price.usd is not None and price.usd <= 0:
        raise ValueError(f"{name} in {TABLE.name} costs {price.usd}, which is no price")
    if price.usd is None and price.verified:
        raise ValueError(f"{name} in {TABLE.name} is verified and has no price")
    return price
