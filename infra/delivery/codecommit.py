"""Git's way into CodeCommit: a credential helper that signs with the AWS credentials at hand.

CodeCommit takes a user name and a password that is a signature (SigV4) of the repository's address, good for 15
minutes. Git asks for them on standard input, so that they stand neither on a command line nor in an address.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from include.settings import Settings

SERVICE = "codecommit"
MODULE = "infra.delivery.codecommit"


def repository_url(settings: Settings, repository: str) -> str:
    """The address of the project's repository `ModelBuild` or `ModelDeploy` in CodeCommit."""
    host = f"git-codecommit.{settings.region}.{settings.dns_suffix}"
    return f"https://{host}/v1/repos/{settings.project}-{repository}"


def credential_helper(region: str, python: str = sys.executable) -> tuple[str, ...]:
    """Settings of git (NAME=VALUE) that make it ask this module, and no other helper, for credentials."""
    return (
        "credential.helper=",
        f"credential.helper=!'{python}' -m {MODULE} --region {region}",
        "credential.useHttpPath=true",  # the signature is of the repository's path
    )


def sign(credentials: ReadOnlyCredentials, region: str, host: str, path: str, now: datetime) -> tuple[str, str]:
    """User name and password for a repository.

    Args:
        host: of its address, with the port where there is one.
        path: of its address, `/v1/repos/NAME`.
        now: the time of the signature, in UTC.
    """
    timestamp = now.strftime("%Y%m%dT%H%M%S")
    request = AWSRequest(method="GIT", url=f"https://{host}{path}")
    request.context["timestamp"] = timestamp
    signer = SigV4Auth(credentials, SERVICE, region)
    canonical = f"GIT\n{path}\n\nhost:{host}\n\nhost\n"
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    token = f"%{credentials.token}" if credentials.token else ""
    return f"{credentials.access_key}{token}", f"{timestamp}Z{signature}"


def answer(question: Mapping[str, str], credentials: ReadOnlyCredentials, region: str, now: datetime) -> str:
    """What git's credential protocol expects in answer to `get`."""
    username, password = sign(credentials, region, question["host"], f"/{question['path']}", now)
    return f"username={username}\npassword={password}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer git; 1 with one line where there are no credentials."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("--region", required=True)
    parser.add_argument("operation", choices=["get", "store", "erase"])
    options = parser.parse_args(arguments)
    question = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin if "=" in line)
    if options.operation != "get":
        return 0  # nothing is kept: the next password is signed anew
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        print("no AWS credentials found: sign in as for every AWS tool", file=sys.stderr)
        return 1
    sys.stdout.write(answer(question, credentials.get_frozen_credentials(), options.region, datetime.now(UTC)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
