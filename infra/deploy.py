"""Deploy the project: `python -m infra.deploy all`, to AWS, or to local AWS where AWS_ENDPOINT_URL names it."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.bucket_owner import expect_bucket_owner
from include.deploy import project
from include.deploy.feature_groups import prune_feature_groups
from include.deploy.forget import NotErased
from include.deploy.stack import StackFailed
from include.deploy.versions import NotDeleted
from include.garmin.document import SourceError
from include.settings import Settings, names_local_aws, settings
from infra.deployment.checks import run_checks
from infra.deployment.environment import UnknownEnvironment, read_environment
from infra.deployment.findings import Place
from infra.forget import NotConfirmed, forget
from infra.package import DIST

STEPS = ("access", "data", "features", "ml", "release", "serving")
"""The order of `all`. Airflow on Amazon MWAA is a step of its own: it costs by the hour, and local AWS has none."""


class WrongAccount(Exception):
    """The credentials are not of the account that the names are made for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the steps named on the command line; 0, or 1 with one line that says what failed."""
    options = _parser().parse_args(arguments)
    if "forget" in options.steps and (options.steps != ["forget"] or not options.athlete):
        _parser().error("forget goes alone, and wants --athlete ID")
    if "check" in options.steps:
        if options.steps != ["check"]:
            _parser().error("check goes alone")
        return check(options.environment, options.package)
    steps = list(STEPS) if "all" in options.steps else options.steps
    where = os.environ.get("AWS_ENDPOINT_URL", "AWS")
    started = time.monotonic()
    try:
        where = os.environ.get("AWS_ENDPOINT_URL", f"AWS {settings().region}")
        overrides = dict(_name_and_value(text) for text in options.parameter)
        check_place(settings(), steps)
        for step in steps:
            if step == "forget":
                forget(_client, settings(), options.athlete, is_confirmed=options.yes, say=print)
            else:
                _run(step, overrides, options)
    except (NotConfirmed, NotErased, NotDeleted, SourceError) as error:
        print(f"forget: {error}", file=sys.stderr)
        return 1
    except (StackFailed, WrongAccount, project.BucketNotEmptied, BotoCoreError, ClientError, ValueError) as error:
        print(f"deploy to {where} failed: {error}", file=sys.stderr)
        return 1
    print(f"{', '.join(steps)}: done in {time.monotonic() - started:.0f} s on {where}")
    return 0


def check(name: str | None, package: Path = DIST) -> int:
    """Print what would stop a deployment, a line each; 1 where anything would.

    Args:
        name: of the environment file; without one, what the settings of this process name is checked.
        package: the folder of `make package`.
    """
    try:
        environment = read_environment(name) if name else None
        wanted = environment.own_settings() if environment else settings()
    except (UnknownEnvironment, ValueError) as error:
        print(f"check: {error}", file=sys.stderr)
        return 1
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    is_local = bool(endpoint) and names_local_aws(endpoint)
    if environment and (environment.home == "mwaa") == is_local:
        remedy = "unset AWS_ENDPOINT_URL" if is_local else "set AWS_ENDPOINT_URL to the address of local AWS"
        print(f'check: {environment.name} has home = "{environment.home}": {remedy}', file=sys.stderr)
        return 1

    def clients(service: str) -> Any:
        return _client_of(service, wanted)

    findings = run_checks(Place(clients, wanted, environment, is_local, package, datetime.now(UTC)))
    for finding in findings:
        print(finding.line)
    blockers = sum(finding.verdict == "blocker" for finding in findings)
    print(f"{len(findings)} findings, {blockers} would stop a deployment")
    return 1 if blockers else 0


def check_place(settings: Settings, steps: Sequence[str]) -> None:
    """Before anything is made: are the credentials of the account, and is the XGBoost image in the region?

    Raises:
        WrongAccount: the credentials are of another account.
        ValueError: SageMaker has no XGBoost image in the region.
    """
    account = _client("sts").get_caller_identity()["Account"]
    if account != settings.account_id:
        raise WrongAccount(
            f"the credentials are of account {account} and GFF_ACCOUNT_ID names {settings.account_id}: "
            "nothing was changed"
        )
    if not set(steps) <= {"delete", "forget"}:
        settings.require_image()


def _run(step: str, overrides: dict[str, str], options: argparse.Namespace) -> None:
    if step == "release":
        done = project.release(_client, settings())
        print(f"release {done.version}: {f'{done.uploaded} objects uploaded' if done.uploaded else 'there already'}")
    elif step == "prune-features":
        pruned = prune_feature_groups(_client, settings(), on_progress=print)
        print(f"feature groups deleted: {', '.join(pruned) or 'none, there is no older one'}")
    elif step == "delete":
        project.delete(
            _client, settings(), with_data=options.with_data, with_access=options.with_access, on_progress=print
        )
    else:
        result = project.deploy(_client, settings(), step, overrides=overrides, on_progress=print)
        for key, value in sorted(result.outputs.items()):
            print(f"  {key} = {value}")


def _client(service: str) -> Any:
    return _client_of(service, settings())


def _client_of(service: str, wanted: Settings) -> Any:
    made = boto3.client(service, region_name=wanted.region)  # type: ignore[call-overload]
    return expect_bucket_owner(made, wanted.account_id)


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--parameter {text!r}: write Name=Value")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.deploy",
        description="Deploy the project's CloudFormation stacks and publish its code. A deployment that was stopped is "
        "finished by running it again.",
        epilog="Names come from GFF_PROJECT, GFF_ACCOUNT_ID and GFF_REGION, credentials and AWS_ENDPOINT_URL from the "
        "environment as for every AWS tool. The endpoint stack is not deployed here: an approved package starts it.",
    )
    parser.add_argument(
        "steps",
        nargs="+",
        metavar="STEP",
        choices=[*STEPS, "all", "mwaa", "delivery", "check", "delete", "prune-features", "forget"],
        help="access (roles; by an administrator of the account), data, features, ml, release (build and upload the "
        "code), serving; all of these in this order; mwaa (Airflow on Amazon MWAA, 20 to 30 minutes; `make deploy` "
        "uploads its DAGs as well); delivery: the repositories and pipelines of docs/delivery.md; check, which names "
        "what would stop a deployment and changes nothing; delete: every stack but access and data, with all model "
        "packages, feature groups and logs of jobs; prune-features, which deletes the feature groups of older schema "
        "versions; or forget (erase one athlete everywhere)",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a stack parameter besides those of the settings, e.g. EndpointMode=serverless; later deploys keep it",
    )
    parser.add_argument(
        "--environment", metavar="NAME", help="what `check` checks: infra/environments/NAME.toml (the settings' place)"
    )
    parser.add_argument(
        "--package", type=Path, default=DIST, metavar="FOLDER", help="of `make package`, for `check` (%(default)s)"
    )
    parser.add_argument("--athlete", metavar="ID", help="whom `forget` erases; it shows what there is, and asks")
    parser.add_argument("--yes", action="store_true", help="let `forget` erase without asking")
    parser.add_argument(
        "--with-data",
        action="store_true",
        help="let `delete` empty and delete the bucket as well, and the Garmin tokens: all history is lost. Stop the "
        "DAGs first: once a bucket is deleted, anyone may take its name, and a DAG that still runs would write to it",
    )
    parser.add_argument(
        "--with-access",
        action="store_true",
        help="let `delete` delete the stack access as well, last of all; its roles are then to be made anew by an "
        "administrator",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
