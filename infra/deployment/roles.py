"""Who acts: the caller, an administrator where the roles are made, and the deployer's role for everything else."""

from functools import cache, partial
from typing import Any

import boto3
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import ClientError
from botocore.session import get_session

from include.bucket_owner import expect_bucket_owner
from include.deploy.project import Clients
from include.settings import Settings

SESSION_NAME = "deployment"


class MayNotAssume(Exception):
    """The caller may not act as the deployer's role, or there is none yet."""


def local_administrator(region: str) -> boto3.Session:
    """The administrator of local AWS's account: local AWS has no secrets."""
    return boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=region)  # noqa: S106


def deployer_role_arn(settings: Settings) -> str:
    """The role of those who deploy (stack `access`)."""
    return f"arn:{settings.partition}:iam::{settings.account_id}:role/{settings.project}-deployer"


def is_deployer(caller_arn: str, settings: Settings) -> bool:
    """Whether a caller, as STS names it, acts as the deployer's role already."""
    return f":assumed-role/{settings.project}-deployer/" in caller_arn


def as_deployer(session: boto3.Session, settings: Settings, endpoint_url: str | None) -> boto3.Session:
    """A session of the deployer's role; its credentials are renewed for as long as those of `session` are good.

    Raises:
        MayNotAssume: with AWS's reason.
    """
    create_client = partial(get_session().create_client, region_name=settings.region, endpoint_url=endpoint_url)
    fetcher = AssumeRoleCredentialFetcher(
        create_client, session.get_credentials(), deployer_role_arn(settings), {"RoleSessionName": SESSION_NAME}
    )
    try:
        fetcher.fetch_credentials()  # kept by the fetcher; a refusal that came later would be logged with its trace
    except ClientError as error:
        raise MayNotAssume(error.response["Error"]["Message"]) from error
    own = get_session()
    credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    own._credentials = credentials  # type: ignore[attr-defined]  # boto3 has no public way to hand a session its credentials
    return boto3.Session(botocore_session=own, region_name=settings.region)


def clients_of(session: boto3.Session, settings: Settings, endpoint_url: str | None) -> Clients:
    """Makes the client of a service once, for the session; requests to S3 name the owner that they expect."""

    @cache
    def client(service: str) -> Any:
        made = session.client(service, region_name=settings.region, endpoint_url=endpoint_url)  # type: ignore[call-overload]
        return expect_bucket_owner(made, settings.account_id)

    return client
