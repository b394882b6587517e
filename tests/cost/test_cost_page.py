"""docs/cost.md is what the script writes."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from infra.cost import __main__ as command
from infra.cost.chart import bars
from infra.cost.page import advised_bills, page
from infra.cost.prices import read_prices

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_page_and_picture_are_those_that_the_script_writes() -> None:
    prices = read_prices()
    assert (DOCS / "cost.md").read_text() == page(prices), "run: python -m infra.cost"
    assert (DOCS / "cost.svg").read_text() == bars(advised_bills(prices)), "run: python -m infra.cost"


def test_what_could_not_be_verified_is_marked() -> None:
    lines = page(read_prices()).splitlines()
    marked = {line.split("`")[1] for line in lines if line.startswith("| `") and "†" in line}
    assert marked == {name for name, price in read_prices().by_name.items() if not price.verified}
    assert all("†" in line for line in lines if line.startswith(("| ml.t2.medium", "| Feature Store")))


def test_the_bars_are_as_long_as_the_bills() -> None:
    bills = advised_bills(read_prices())
    rectangles = [e for e in ElementTree.fromstring(bars(bills)) if e.tag.endswith("rect") and e.get("height") == "26"]
    lengths = [sum(float(e.get("width", 0)) for e in rectangles[i * 6 : i * 6 + 6]) for i in range(len(bills))]
    for length, each in zip(lengths, bills, strict=True):
        assert length / lengths[-1] == pytest.approx(each.total_usd / bills[-1].total_usd, abs=0.002)


def test_a_bill_with_a_price_of_ones_own_is_printed_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "DOCS", tmp_path)
    assert command.main(["--athletes", "100", "--price", "mwaa_small_hour=0.25"]) == 0
    assert "182.50  MWAA, mw1.small" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("price", ["moonlight=1", "mwaa_small_hour=cheap", "mwaa_small_hour"])
def test_a_price_that_is_none_is_one_line(price: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--price", price]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_page_is_written_where_the_documents_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "DOCS", tmp_path)
    assert command.main([]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cost.md", "cost.svg"]
