"""Athletes that are one person: their activities have the same ids, which Garmin gives no two accounts.

An account export has a new name each time, and its name is the athlete's id. A model trained and tested on one person
under two names would look better than it is, so of two such athletes the one with the newer data goes on alone.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from include.curate import Tables
from include.garmin.document import SourceError
from include.garmin.holdings import list_keys
from include.lake import ACCOUNTS_PREFIX, account_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READS_AT_ONCE = 8
SHARED_MIN = 3
SHARED_SHARE_MIN = 0.5
"""Of the activities of the one that has fewer: two exports of one account share all but what was deleted between."""


class AthleteTwice(SourceError):
    """Two athletes are one person; the message names both and says what to do."""


@dataclass(frozen=True)
class Account:
    """What tells an athlete's account."""

    athlete_id: str
    activity_ids: frozenset[str]
    last_day: str
    """Of the last activity."""

    @property
    def rank(self) -> tuple[str, int, str]:
        """The account that is known best has the highest."""
        return self.last_day, len(self.activity_ids), self.athlete_id


@dataclass(frozen=True)
class Twice:
    """One person under two names."""

    left_out: str
    goes_on: str
    shared: int

    def __str__(self) -> str:
        return (
            f"{self.left_out} and {self.goes_on} are of one account: {self.shared} of their activities are the same. "
            f"Only {self.goes_on} goes on. Give both one name (of an export: that of the zip), and erase the other: "
            f"python -m infra.deploy forget --athlete {self.left_out}"
        )


def note_account(s3: "S3Client", bucket: str, athlete_id: str, tables: Tables) -> None:
    """Keep what tells the account of an athlete."""
    activities = tables.activities
    if activities.empty:
        return
    value = {"activity_ids": sorted(activities["activity_id"]), "last_day": f"{activities['day'].max():%Y-%m-%d}"}
    body = json.dumps(value, separators=(",", ":")).encode()
    s3.put_object(Bucket=bucket, Key=account_key(athlete_id), Body=body, ContentType="application/json")


def read_accounts(s3: "S3Client", bucket: str) -> dict[str, Account]:
    """The accounts of all athletes, by their ids."""

    def account(key: str) -> Account:
        value = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        athlete_id = key.removeprefix(f"{ACCOUNTS_PREFIX}athlete_id=").removesuffix(".json")
        return Account(athlete_id, frozenset(value["activity_ids"]), value["last_day"])

    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return {each.athlete_id: each for each in pool.map(account, list_keys(s3, bucket, ACCOUNTS_PREFIX))}


def athletes_twice(accounts: Mapping[str, Account]) -> list[Twice]:
    """Athletes whose activities another athlete has too, each with the one of them that is known best."""
    athletes_of: dict[str, list[str]] = defaultdict(list)
    for account in accounts.values():
        for activity_id in account.activity_ids:
            athletes_of[activity_id].append(account.athlete_id)
    shared: Counter[tuple[str, str]] = Counter()
    for athletes in athletes_of.values():
        shared.update(combinations(sorted(athletes), 2))
    best: dict[str, Twice] = {}
    rank = partial(_rank, accounts)
    for pair, count in sorted(shared.items()):
        fewer = min(len(accounts[name].activity_ids) for name in pair)
        if count < SHARED_MIN or count < SHARED_SHARE_MIN * fewer:
            continue
        left_out, goes_on = sorted(pair, key=rank)
        if left_out not in best or rank(best[left_out].goes_on) < rank(goes_on):
            best[left_out] = Twice(left_out, goes_on, count)
    return [best[name] for name in sorted(best)]


def _rank(accounts: Mapping[str, Account], athlete_id: str) -> tuple[str, int, str]:
    return accounts[athlete_id].rank
