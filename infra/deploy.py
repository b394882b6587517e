"""Deploy the project: `python -m infra.deploy all`, to AWS, or to local AWS where AWS_ENDPOINT_URL names it."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.deploy import project
from include.deploy.forget import NotErased
from include.deploy.stack import StackFailed
from include.deploy.versions import NotDeleted
from include.garmin.document import SourceError
from include.settings import settings
from infra.forget import NotConfirmed, forget

STEPS = ("data", "features", "ml", "release", "serving")
"""The order of `all`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the steps named on the command line; 0, or 1 with one line that says what failed."""
    options = _parser().parse_args(arguments)
    if "forget" in options.steps and (options.steps != ["forget"] or not options.athlete):
        _parser().error("forget goes alone, and wants --athlete ID")
    steps = list(STEPS) if "all" in options.steps else options.steps
    where = os.environ.get("AWS_ENDPOINT_URL", f"AWS {settings().region}")
    started = time.monotonic()
    try:
        overrides = dict(_name_and_value(text) for text in options.parameter)
        for step in steps:
            if step == "forget":
                forget(_client, settings(), options.athlete, is_confirmed=options.yes, say=print)
            else:
                _run(step, overrides, with_data=options.with_data)
    except (NotConfirmed, NotErased, NotDeleted, SourceError) as error:
        print(f"forget: {error}", file=sys.stderr)
        return 1
    except (StackFailed, BotoCoreError, ClientError, ValueError) as error:
        print(f"deploy to {where} failed: {error}", file=sys.stderr)
        return 1
    print(f"{', '.join(steps)}: done in {time.monotonic() - started:.0f} s on {where}")
    return 0


def _run(step: str, overrides: dict[str, str], *, with_data: bool) -> None:
    if step == "release":
        done = project.release(_client, settings())
        print(f"release {done.version}: {f'{done.uploaded} objects uploaded' if done.uploaded else 'there already'}")
    elif step == "delete":
        project.delete(_client, settings(), with_data=with_data, on_progress=print)
    else:
        result = project.deploy(_client, settings(), step, overrides=overrides, on_progress=print)
        for key, value in sorted(result.outputs.items()):
            print(f"  {key} = {value}")


def _client(service: str) -> Any:
    return boto3.client(service, region_name=settings().region)  # type: ignore[call-overload]


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--parameter {text!r}: write Name=Value")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.deploy",
        description="Deploy the project's CloudFormation stacks and publish its code.",
        epilog="Names come from GFF_PROJECT, GFF_ACCOUNT_ID and GFF_REGION, credentials and AWS_ENDPOINT_URL from the "
        "environment as for every AWS tool. The endpoint stack is not deployed here: an approved package starts it.",
    )
    parser.add_argument(
        "steps",
        nargs="+",
        metavar="STEP",
        choices=[*STEPS, "all", "delete", "forget"],
        help="data, features, ml, release (build and upload the code), serving; all of these in this order; delete; or "
        "forget (erase one athlete everywhere)",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a stack parameter besides those of the settings, e.g. EndpointMode=serverless; later deploys keep it",
    )
    parser.add_argument("--athlete", metavar="ID", help="whom `forget` erases; it shows what there is, and asks")
    parser.add_argument("--yes", action="store_true", help="let `forget` erase without asking")
    parser.add_argument(
        "--with-data", action="store_true", help="let `delete` empty and delete the bucket as well: all history is lost"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
