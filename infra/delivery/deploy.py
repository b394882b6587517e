"""The deploy step of a pipeline: `python -m infra.delivery.deploy --environment NAME STEP …`.

Each repository deploys its own stacks, and the release that both are packed with. It acts with the credentials at hand,
in a pipeline those of the environment's deployer.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.bucket_owner import expect_bucket_owner
from include.deploy import project
from include.deploy.release import Release, publish
from include.deploy.stack import StackFailed
from include.settings import Settings
from infra.deployment.environment import Environment, UnknownEnvironment, read_environment
from infra.package.folder import NoPackage, read_package

STEPS = ("data", "features", "ml", "release", "serving")
"""What a pipeline may deploy, in its order. The roles (stack `access`) are an administrator's to change."""


class WrongAccount(Exception):
    """The credentials are of another account than the environment."""


def deploy(
    clients: project.Clients, environment: Environment, steps: Sequence[str], package: Path, say: Callable[[str], None]
) -> None:
    """Deploy `steps` of an environment, the release as it lies in the folder `package`.

    Raises:
        WrongAccount: the credentials are of another account; nothing was changed.
        NoPackage: the package is not whole; nothing was changed.
        StackFailed: CloudFormation refused or failed.
    """
    settings = settings_of(environment)
    check_account(clients, environment)
    packaged = read_package(package).release
    # A pipeline hands on files without git, and names their commit beside them.
    commit = packaged.sources or os.environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION", "")
    release = Release(packaged.version, packaged.files, commit)
    for step in [name for name in STEPS if name in steps]:
        if step == "release":
            done = publish(clients("s3"), settings.bucket, release)
            say(f"release {done.version}: {done.uploaded} objects uploaded")
        else:
            overrides = environment.parameters(step)  # type: ignore[arg-type]  # the steps but release are stacks
            result = project.deploy(clients, settings, step, overrides=overrides, on_progress=say)
            say(f"stack {settings.stack(step)}: {'changed' if result.changed else 'nothing to change'}")


def check_account(clients: project.Clients, environment: Environment) -> None:
    """See that the credentials are of the environment's account.

    Raises:
        WrongAccount: they are of another one.
    """
    account = clients("sts").get_caller_identity()["Account"]
    if account != environment.account_id:
        raise WrongAccount(
            f"the credentials are of account {account}, the environment {environment.name} is in "
            f"{environment.account_id}: nothing was changed"
        )


def settings_of(environment: Environment) -> Settings:
    """The settings that the environment's file makes."""
    own = {"project": environment.project, "account_id": environment.account_id, "region": environment.region}
    return Settings.model_validate(own | environment.settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the steps; 0, or 1 with one line that says what failed."""
    options = _parser().parse_args(arguments)
    try:
        environment = read_environment(options.environment)
        deploy(
            clients_of(settings_of(environment)),
            environment,
            options.steps,
            options.package,
            partial(print, flush=True),
        )
    except (
        UnknownEnvironment, WrongAccount, NoPackage, StackFailed, BotoCoreError, ClientError, ValueError
    ) as error:  # fmt: skip
        print(f"deploy to {options.environment} failed: {error}", file=sys.stderr)
        return 1
    return 0


def clients_of(settings: Settings) -> project.Clients:
    """Makes clients with the AWS credentials at hand; requests to S3 name the owner that they expect."""
    session = boto3.Session(region_name=settings.region)

    @cache
    def client(service: str) -> Any:
        made = session.client(service)  # type: ignore[call-overload]
        return expect_bucket_owner(made, settings.account_id)

    return client


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.delivery.deploy", description=__doc__)
    parser.add_argument("steps", nargs="+", choices=STEPS, metavar="STEP", help=f"of {', '.join(STEPS)}")
    parser.add_argument("--environment", required=True, metavar="NAME", help="a file of infra/environments")
    parser.add_argument("--package", type=Path, default=Path("dist"), help="the folder of the package (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
