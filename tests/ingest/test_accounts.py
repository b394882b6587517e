"""Two athletes with the same activities are one person."""

from include.ingest.accounts import Account, athletes_twice


def account(name: str, first: int, last: int, last_day: str) -> Account:
    return Account(name, frozenset(map(str, range(first, last))), last_day)


def accounts(*found: Account) -> dict[str, Account]:
    return {each.athlete_id: each for each in found}


def test_of_two_exports_of_one_account_the_newer_one_goes_on() -> None:
    [twice] = athletes_twice(accounts(account("a1", 0, 40, "2026-06-30"), account("b2", 0, 20, "2026-02-27")))
    assert (twice.left_out, twice.goes_on, twice.shared) == ("b2", "a1", 20)
    assert str(twice).startswith("b2 and a1 are of one account: 20 of their activities are the same. Only a1 goes on.")


def test_of_three_exports_of_one_account_the_newest_goes_on() -> None:
    found = athletes_twice(
        accounts(
            account("a", 0, 20, "2026-02-01"), account("b", 0, 40, "2026-06-01"), account("c", 0, 60, "2026-09-01")
        )
    )
    assert [(each.left_out, each.goes_on) for each in found] == [("a", "c"), ("b", "c")]


def test_athletes_who_share_a_few_activities_or_none_are_two() -> None:
    """An activity entered for two people by hand, or taken over by mistake, makes no one person of them."""
    assert not athletes_twice(accounts(account("a", 0, 40, "2026-06-30"), account("b", 38, 80, "2026-06-30")))
    assert not athletes_twice(accounts(account("a", 0, 40, "2026-06-30"), account("b", 40, 80, "2026-06-30")))
