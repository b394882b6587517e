"""The question of `make run SOURCE=personalapi` for a key of Garmin's Personal API, where local AWS keeps none."""

import getpass
import sys
from typing import TYPE_CHECKING

from include.garmin.connect.manners import Manners
from include.garmin.connect.tokens import TokenStore
from include.garmin.document import SourceError
from infra.garmin_key import KeyRefused, store_key
from infra.garmin_login import Ask
from infra.laptop.options import LaptopError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

SOURCE = "personalapi"
ATHLETE = "me"
"""Who the asked key is of; keys of others are stored by `make garmin-key ATHLETE=…`."""
NO_KEY = (
    "No athlete has a key of Garmin's Personal API yet, and there is no terminal to ask for one: start `make run` "
    "without SOURCE, run `make garmin-key ATHLETE=me OPTIONS=--local` beside it, and then start again with this SOURCE."
)


def require_key(
    ssm: "SSMClient",
    project: str,
    *,
    ask: Ask = input,
    ask_secretly: Ask = getpass.getpass,
    has_terminal: bool | None = None,
    manners: Manners | None = None,
) -> None:
    """Ask for the key of ATHLETE, try it and store it, unless some athlete has a key already.

    Raises:
        LaptopError: there is none, and nobody to ask or none that Garmin takes.
    """
    if TokenStore(ssm, project).athletes("personalapi"):
        return
    if not (sys.stdin.isatty() if has_terminal is None else has_terminal):
        raise LaptopError(NO_KEY)
    try:
        store_key(ATHLETE, ssm, ask, ask_secretly, manners=manners)
    except (KeyRefused, SourceError) as error:
        raise LaptopError(f"no key stored for {ATHLETE}: {error}") from error
    except EOFError as error:
        raise LaptopError(f"no key stored for {ATHLETE}: stopped") from error
