"""`python -m infra.cost`: write docs/cost.md and its picture from the price table, or print a bill of your own."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from infra.cost.bill import Choice, bill
from infra.cost.chart import bars
from infra.cost.page import advised_bills, as_text, page
from infra.cost.prices import Prices, PriceUnknown, read_prices

DOCS = Path(__file__).parents[2] / "docs"


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or print a bill where one is asked for."""
    parser = argparse.ArgumentParser(prog="python -m infra.cost", description=__doc__)
    parser.add_argument("--athletes", type=int, metavar="N", help="print the bill of N athletes, and write nothing")
    parser.add_argument(
        "--price", action="append", default=[], metavar="NAME=USD", help="another price, for a bill that is printed"
    )
    options = parser.parse_args(arguments)
    try:
        prices = _with(read_prices(), options.price)
        if options.athletes is not None or options.price:
            print(as_text(bill(options.athletes or 1, Choice(), prices)))
            return 0
    except (PriceUnknown, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    (DOCS / "cost.md").write_text(page(prices), encoding="utf-8")
    (DOCS / "cost.svg").write_text(bars(advised_bills(prices)), encoding="utf-8")
    print("wrote docs/cost.md and docs/cost.svg")
    return 0


def _with(prices: Prices, own: list[str]) -> Prices:
    by_name = dict(prices.by_name)
    for item in own:
        name, _, usd = item.partition("=")
        if name not in by_name:
            raise ValueError(f"--price {item}: there is no price {name or '?'}; docs/cost.md has the names")
        try:
            by_name[name] = replace(by_name[name], usd=float(usd))
        except ValueError:
            raise ValueError(f"--price {item}: {usd!r} is no number of dollars") from None
    return replace(prices, by_name=by_name)


if __name__ == "__main__":
    sys.exit(main())
