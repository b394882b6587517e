"""Store an athlete's Garmin tokens: `python -m infra.garmin_login --athlete ann`. No password is ever stored."""

import argparse
import getpass
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.bucket_owner import expect_bucket_owner
from include.garmin.connect.login import LoginFailed, how_long, sign_in, tokens_of_folder
from include.garmin.connect.tokens import TokenStore, parameter_name
from include.garmin.document import LoginNeeded, SourceError
from include.garmin.registry import Athlete, RegistryError, add_athletes
from include.lake import ATHLETES_KEY
from include.settings import CLIENT_REGIONS, LOCAL_ACCOUNT, SettingsError, names_local_aws, settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient

LOCAL_AWS = "http://127.0.0.1:4566"
"""Where `make run` has its local AWS."""
OF_LOCAL_AWS = {"GFF_ACCOUNT_ID": LOCAL_ACCOUNT} | dict.fromkeys(("GFF_REGION", *CLIENT_REGIONS), "us-east-1")
"""The names of a deployment that `make run` makes."""

Ask = Callable[[str], str]


def main(arguments: Sequence[str] | None = None, *, ask: Ask = input, ask_secretly: Ask = getpass.getpass) -> int:
    """Sign in or import, and store; 0, or 1 with one line that says what failed."""
    options = _parser().parse_args(arguments)
    logging.getLogger("garminconnect").setLevel(logging.CRITICAL)  # its way through its ways to sign in
    try:
        endpoint_url = endpoint_of(options)
        client = _store(options.athlete, options.import_dir, client_of("ssm", endpoint_url), ask, ask_secretly)
        list_athlete(Athlete(options.athlete, client), client_of("s3", endpoint_url))
    except (LoginFailed, SourceError, SettingsError, BotoCoreError, ClientError) as error:
        print(f"no tokens stored for {options.athlete}: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print(f"\nno tokens stored for {options.athlete}: stopped", file=sys.stderr)
        return 1
    return 0


def _store(athlete_id: str, folder: Path | None, ssm: "SSMClient", ask: Ask, ask_secretly: Ask) -> str:
    """Store the tokens; the name of the client whose they are, which is the athlete's source."""
    store, name = TokenStore(ssm, settings().project), parameter_name(settings().project, athlete_id)
    check_access(store, athlete_id)
    now = datetime.now(UTC)
    if folder is not None:
        tokens, whose = tokens_of_folder(folder, now), f"from {folder}"
    else:
        email = ask(f"Garmin Connect e-mail of {athlete_id}: ").strip()
        password = ask_secretly("Password (not stored): ")
        signed_in = sign_in(email, password, lambda: ask("Code that Garmin sent: "), now)
        tokens, whose = signed_in.tokens, f"of account {signed_in.profile_id} ({signed_in.display_name})"
    store.store(athlete_id, tokens)
    print(f"stored {tokens.client} tokens {whose} as parameter {name}")
    print(f"good {how_long(tokens)}; every run before that renews them")
    return tokens.client


def list_athlete(athlete: Athlete, s3: "S3Client") -> None:
    """Add the athlete to those that garmin_ingest fetches every day."""
    try:
        add_athletes(s3, settings().bucket, [athlete])
    except (RegistryError, ClientError) as error:
        print(f"stored, but {athlete.athlete_id} could not be listed in {ATHLETES_KEY}: {error}", file=sys.stderr)
    else:
        print(f"listed in {ATHLETES_KEY}: garmin_ingest fetches {athlete.athlete_id} from its next run on")


def check_access(store: TokenStore, athlete_id: str) -> None:
    """Before anyone is asked for a code, which Garmin sends only so often: can tokens be read at all?"""
    with suppress(LoginNeeded):
        store.load(athlete_id)


def endpoint_of(options: argparse.Namespace) -> str | None:
    """The endpoint that the options of `add_place_options` name; None for AWS. For local AWS names are its own."""
    endpoint_url: str | None = LOCAL_AWS if options.local else options.endpoint_url
    if endpoint_url and names_local_aws(endpoint_url):
        os.environ.update(OF_LOCAL_AWS)  # whatever account the shell works in otherwise
    return endpoint_url


def client_of(service: str, endpoint_url: str | None) -> Any:
    """A boto3 client of the deployment's account."""
    if endpoint_url is None:
        made = boto3.client(service, region_name=settings().region)  # type: ignore[call-overload]
        return expect_bucket_owner(made, settings().account_id)
    made = boto3.client(
        service,  # type: ignore[call-overload]
        region_name=settings().region,
        endpoint_url=endpoint_url,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - local AWS asks for none
    )
    return expect_bucket_owner(made, settings().account_id)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.garmin_login",
        description="Sign an athlete in to Garmin Connect and keep the tokens, never the password, in Parameter Store.",
        epilog="Run it where the athlete's own browser could sign in: Garmin blocks the addresses of large clouds. "
        "Names come from GFF_PROJECT, GFF_ACCOUNT_ID and GFF_REGION, credentials and AWS_ENDPOINT_URL as ever.",
    )
    parser.add_argument("--athlete", required=True, metavar="ID", help="letters, digits, '-' and '_'")
    parser.add_argument(
        "--import-dir",
        type=Path,
        metavar="DIR",
        help="store tokens that a client left there instead of signing in: garmin_tokens.json, or garth's "
        "oauth1_token.json and oauth2_token.json (source garminexport)",
    )
    add_place_options(parser)
    return parser


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where tokens are stored."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--local", action="store_true", help=f"local AWS of `make run`, {LOCAL_AWS}")
    where.add_argument("--endpoint-url", metavar="URL", help="local AWS elsewhere")


if __name__ == "__main__":
    sys.exit(main())
