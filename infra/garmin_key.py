"""Store an athlete's key of Garmin's Personal API: `python -m infra.garmin_key --athlete ann`."""

import argparse
import getpass
import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from garmin_personal_api import GarminPersonalApiClient, GarminPersonalApiError

from include.garmin.connect.manners import Manners, QuestionFailed
from include.garmin.connect.personal_key import (
    KEY_LIFE_DAYS,
    KEY_PAGE,
    TIMEOUT_S,
    exchange,
    tokens_of_key,
    why_not_exchanged,
)
from include.garmin.connect.personal_session import ReceivingSession, StatusError
from include.garmin.connect.tokens import TokenStore, parameter_name
from include.garmin.document import SourceError
from include.garmin.registry import Athlete
from include.settings import SettingsError, settings
from infra.garmin_login import Ask, add_place_options, check_access, client_of, endpoint_of, list_athlete

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


class KeyRefused(Exception):
    """The key was not stored; the message is one line that says what to do."""


def main(
    arguments: Sequence[str] | None = None,
    *,
    ask: Ask = input,
    ask_secretly: Ask = getpass.getpass,
    manners: Manners | None = None,
) -> int:
    """Ask for a key, try it and store it; 0, or 1 with one line that says what failed."""
    options = _parser().parse_args(arguments)
    logging.getLogger("garmin_personal_api").setLevel(logging.WARNING)
    try:
        endpoint_url = endpoint_of(options)
        store_key(options.athlete, client_of("ssm", endpoint_url), ask, ask_secretly, options.days, manners)
        list_athlete(Athlete(options.athlete, "personalapi"), client_of("s3", endpoint_url))
    except QuestionFailed as error:
        print(f"no key stored for {options.athlete}: {error}; run again later", file=sys.stderr)
        return 1
    except (KeyRefused, SourceError, SettingsError, BotoCoreError, ClientError) as error:
        print(f"no key stored for {options.athlete}: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print(f"\nno key stored for {options.athlete}: stopped", file=sys.stderr)
        return 1
    return 0


def store_key(
    athlete_id: str,
    ssm: "SSMClient",
    ask: Ask,
    ask_secretly: Ask,
    days: int | None = None,
    manners: Manners | None = None,
) -> None:
    """Ask for an athlete's key without echo, try it at Garmin, and store it in place of what was stored.

    Args:
        days: how long the key lasts, as chosen when it was made today; asked for when None.

    Raises:
        KeyRefused: nothing was stored, for Garmin does not take the key or cannot be asked.
        SourceError: Parameter Store does not take it.
    """
    store, name = TokenStore(ssm, settings().project), parameter_name(settings().project, athlete_id)
    check_access(store, athlete_id)
    print(f"Make a key at {KEY_PAGE} (in a browser, signed in to Garmin Connect). It is shown once.")
    ends_at = _end(ask, days, datetime.now(UTC))  # before the key, which nobody shall have to give twice
    key = ask_secretly(f"Key of {athlete_id} (not shown): ").strip()
    # A header cannot carry any other text, and the error about it would quote the key.
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise KeyRefused("that is no key: it is one word, copied from Garmin's page")
    newest = _try(athlete_id, key, manners or Manners())
    store.store(athlete_id, tokens_of_key(key, datetime.now(UTC), ends_at))
    print(f"Garmin takes the key ({newest}); stored as parameter {name}")
    if ends_at is None:
        print("when it ends is not known: Garmin sends a mail a week before")
    else:
        print(f"good until {ends_at:%Y-%m-%d}; runs warn from a week before")


def _try(athlete_id: str, key: str, manners: Manners) -> str:
    """What the key reads, for people: the day of the newest activity."""
    session, status = ReceivingSession(), 200
    try:
        bearer, _ = manners.ask(lambda: exchange(key, session))
    except StatusError as error:
        status = error.response.status_code
    except GarminPersonalApiError:
        status = 0
    # Raised outside of the handlers: what the errors refer to holds the key.
    if status in (400, 401):
        raise KeyRefused("Garmin does not take it: it is mistyped, has ended or was revoked")
    if status != 200:
        raise KeyRefused(why_not_exchanged(status, athlete_id))
    client = GarminPersonalApiClient(bearer, timeout=TIMEOUT_S, session=session.session)
    try:
        manners.ask(lambda: _newest_page(client, session))
    except StatusError as error:
        status = error.response.status_code
    if status != 200:
        raise KeyRefused(f"Garmin takes it and answers HTTP {status} to the first question; run again later")
    return _newest_activity(session.received.content)


def _newest_page(client: GarminPersonalApiClient, session: ReceivingSession) -> None:
    try:
        client.search_activities(start=0, limit=1)
    except GarminPersonalApiError:
        raise StatusError(session.received) from None


def _newest_activity(page: bytes) -> str:
    items = json.loads(page or b"[]")
    newest = items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}
    day = str(newest.get("startTimeLocal", ""))[:10]
    return f"newest activity: {day}" if day else "no activity yet"


def _end(ask: Ask, days: int | None, now: datetime) -> datetime | None:
    """When a key of so many days ends, made now: no answer of Garmin says it, so the one who made the key does."""
    if days is None:
        choices = ", ".join(map(str, KEY_LIFE_DAYS))
        answer = ask(f"Days that it lasts, as chosen there ({choices}; Enter: not known): ").strip()
        if answer and (not answer.isdecimal() or int(answer[:4]) not in KEY_LIFE_DAYS):
            raise KeyRefused(f"it lasts {choices} days, or press Enter where you do not know")
        days = int(answer) if answer else None
    return None if days is None else now + timedelta(days=days)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.garmin_key",
        description="Try an athlete's key of Garmin's Personal API and keep it in Parameter Store. It is asked for "
        "without echo, and taken from no argument and no variable.",
        epilog="Names come from GFF_PROJECT, GFF_ACCOUNT_ID and GFF_REGION, credentials and AWS_ENDPOINT_URL as ever.",
    )
    parser.add_argument("--athlete", required=True, metavar="ID", help="letters, digits, '-' and '_'")
    parser.add_argument(
        "--days", type=int, choices=KEY_LIFE_DAYS, help="how long the key lasts, chosen when it was made (else asked)"
    )
    add_place_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
