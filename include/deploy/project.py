"""The project's stacks, in their order, with the parameters that the settings give them."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from include import lake
from include.aws_regions import image_account
from include.deploy import api_keys, leftovers
from include.deploy.feature_groups import delete_feature_groups, is_kept_group
from include.deploy.following import silent
from include.deploy.release import ROOT, Published, build_release, current_release, publish, stack_template
from include.deploy.stack import Progress, Sleep, StackFailed, StackResult, delete_stack, deploy_stack, find_stack
from include.settings import Settings, names_local_aws

FROM_CHECKOUT = ("access", "data", "features", "ml")
"""Stacks that need no release, in the order of their creation; `serving` follows, `endpoint` is the start Lambda's."""
DELIVERY = "delivery"
"""The repositories and pipelines, made by a role of its own."""
ON_AWS_ALONE = {
    "mwaa": "local AWS has no Amazon MWAA and no networks, and Airflow runs beside it (make run, docker compose up)",
    DELIVERY: "local AWS has no repositories and pipelines",
}
"""Stacks whose services local AWS does not have; they come from the checkout as well."""
DELETE_ORDER = (DELIVERY, "mwaa", "endpoint", "serving", "ml", "features", "data", "access")
"""Pipelines and Airflow go first: what still runs would write into what is taken away, or deploy it again."""
WITH_ROLES_OF_THEIR_OWN = ("access", "endpoint")
"""`access` makes the role that makes the others; `endpoint` was made by the role of the start Lambda."""


SLOW_STACK_TIMEOUT_S = 7200.0
"""MWAA makes an environment in 20 to 30 minutes, and tries for longer before it gives up."""
TIMEOUT_S = 1800.0

Clients = Callable[[str], Any]
"""Makes the boto3 client of a service, by its name."""


class OnAwsAlone(ValueError):
    """A stack was asked for that local AWS cannot hold."""


class BucketNotEmptied(Exception):
    """S3 did not delete every object; the message names some that are left, and why."""


def stack_parameters(settings: Settings, name: str, release: str | None = None) -> dict[str, str]:
    """Parameters of one stack; `serving` needs the version of a release.

    What the settings leave open is not passed: the stack keeps what it was once given, else its own default.

    Raises:
        ValueError: no such stack, `serving` without a release, or `ml` in a region without the XGBoost image.
    """
    common = {"Project": settings.project, "BucketName": settings.bucket}
    plain = {"data": {"BucketName": settings.bucket}, DELIVERY: {"Project": settings.project}, "mwaa": common}
    if name in plain:
        return plain[name]
    if name == "access":
        return common | {"ImageAccount": image_account(settings.region), "AirflowBucketName": settings.bucket}
    if name == "ml":
        in_vpc = "true" if settings.job_subnets else "false"
        return common | {"ImageAccount": image_account(settings.region), "JobsInVpc": in_vpc}
    if name == "features":
        return common | {"FeatureGroupName": settings.feature_group}
    if name != "serving":
        raise ValueError(f"stack {name!r} is not deployed from here; one of {', '.join(FROM_CHECKOUT)}, serving")
    if release is None:
        raise ValueError("the serving stack runs a release: publish one first (python -m infra.deploy release)")
    return common | {
        "CodePrefix": lake.code_prefix(release),
        "FeatureGroupName": settings.feature_group,
        "ModelRoleArn": settings.model_role_arn,
        **_chosen(settings),
    }


def _chosen(settings: Settings) -> dict[str, str]:
    """Parameters of `serving` that the settings choose; what they leave open is the stack's to say."""
    choices = {
        "EndpointMode": settings.endpoint_mode,
        "EndpointInstanceType": settings.endpoint_instance_type,
        "EndpointInstanceCount": settings.endpoint_instance_count,
        "EndpointMemoryMb": settings.endpoint_memory_mb,
        "EndpointMaxConcurrency": settings.endpoint_max_concurrency,
        "StageRateLimit": settings.api_stage_rate_limit,
        "StageBurstLimit": settings.api_stage_burst_limit,
        "RateLimit": settings.api_rate_limit,
        "BurstLimit": settings.api_burst_limit,
        "DailyQuota": settings.api_daily_quota,
    }
    return {name: str(value) for name, value in choices.items() if value is not None}


def deploy(
    clients: Clients,
    settings: Settings,
    name: str,
    *,
    overrides: Mapping[str, str] | None = None,
    on_progress: Progress | None = None,
    root: Path = ROOT,
    sleep: Sleep = time.sleep,
) -> StackResult:
    """Deploy stack `name`: `access`, `data`, `features`, `ml` and `mwaa` as checked out, `serving` as released.

    CloudFormation makes the resources by the role of the stack `access`, which is itself made with the caller's rights.

    Raises:
        StackFailed: CloudFormation refused or failed.
        OnAwsAlone: the stack needs a service that local AWS does not have.
        ValueError: no such stack, or nothing is released yet.
    """
    if name in ON_AWS_ALONE and names_local_aws(clients("cloudformation").meta.endpoint_url):
        raise OnAwsAlone(f"the stack {name} is for AWS: {ON_AWS_ALONE[name]}")
    body = stack_template(name, root) if name in (*FROM_CHECKOUT, *ON_AWS_ALONE) else None
    version = None if body else current_release(clients("s3"), settings.bucket)
    parameters = stack_parameters(settings, name, version)
    if name == "features":
        parameters["FeatureGroupExists"] = str(is_kept_group(clients, settings, sleep)).lower()
    try:
        done = deploy_stack(
            clients("cloudformation"),
            settings.stack(name),
            parameters | dict(overrides or {}),
            template_body=body,
            template_url=template_url(settings, version, name) if version else None,
            role_arn=service_role_arn(settings, name),
            tags=stack_tags(settings, name),
            on_progress=on_progress,
            timeout_s=SLOW_STACK_TIMEOUT_S if name == "mwaa" else TIMEOUT_S,
            sleep=sleep,
        )
    except StackFailed as failure:
        if "cannot be assumed" not in str(failure):
            raise
        remedy = "an administrator of the account makes that role: python -m infra.deploy access"
        raise StackFailed(f"{failure}; {remedy}") from failure
    finish(clients, settings, name, done)
    return done


def finish(clients: Clients, settings: Settings, name: str, done: StackResult) -> None:
    """What a deployed stack needs beside its resources; safe to do again."""
    if name == "ml" and settings.job_log_retention_days is not None:
        leftovers.keep_job_logs(clients("logs"), settings.job_log_retention_days)
    if name == "serving":
        api_keys.seed(clients("s3"), settings.bucket, done.outputs["ApiKeyId"])


def service_role_arn(settings: Settings, name: str) -> str | None:
    """The role that CloudFormation makes a stack with; None where it acts with the caller's rights."""
    if name in WITH_ROLES_OF_THEIR_OWN:
        return None
    return settings.delivery_stacks_role_arn if name == DELIVERY else settings.stacks_role_arn


def artifact_bucket(settings: Settings) -> str:
    """The bucket of the pipelines' artifacts (stack `delivery`)."""
    return f"{settings.project}-delivery-{settings.account_id}-{settings.region}"


def stack_tags(settings: Settings, name: str) -> dict[str, str]:
    """Tags of a stack and of all that it makes, by which the bill can be split."""
    return {"project": settings.project, "stack": name}


def template_url(settings: Settings, release: str, name: str) -> str:
    """Where CloudFormation reads a released template."""
    domain = f"{settings.bucket}.s3.{settings.region}.{settings.dns_suffix}"
    return f"https://{domain}/{lake.code_prefix(release)}stacks/{name}.yaml"


def release(clients: Clients, settings: Settings, root: Path = ROOT) -> Published:
    """Build the checkout and publish it to the bucket of the data stack."""
    return publish(clients("s3"), settings.bucket, build_release(root))


def delete(
    clients: Clients,
    settings: Settings,
    *,
    with_data: bool = False,
    with_access: bool = False,
    on_progress: Progress | None = None,
    sleep: Sleep = time.sleep,
) -> list[str]:
    """Delete the project's stacks and what they leave: model packages, feature groups, logs of jobs.

    Args:
        with_data: delete the bucket with all history, and the athletes' Garmin tokens, too.
        with_access: delete the roles of tasks, stacks and deployers too, last of all.

    Returns the names of the stacks that were deleted.

    Raises:
        StackFailed: a stack could not be deleted.
        BucketNotEmptied: an object could not be deleted.
    """
    cloudformation, report = clients("cloudformation"), on_progress or silent
    # Without the stack `access` there is no such role: then the stacks were made without it.
    has_role = find_stack(cloudformation, settings.stack("access")) is not None
    wanted = [n for n in DELETE_ORDER if (n != "data" or with_data) and (n != "access" or with_access)]
    deleted = []
    for name in wanted:
        if name == "ml":
            leftovers.delete_model_packages(clients("sagemaker"), settings.model_package_group, report)
        if name == DELIVERY and find_stack(cloudformation, settings.stack(name)):
            empty_bucket(clients("s3"), artifact_bucket(settings))
        if name == "data":
            empty_bucket(clients("s3"), settings.bucket)
            leftovers.delete_tokens(clients("ssm"), settings.project, report)
        if delete_stack(
            cloudformation,
            settings.stack(name),
            role_arn=service_role_arn(settings, name) if has_role else None,
            on_progress=on_progress,
            timeout_s=SLOW_STACK_TIMEOUT_S if name == "mwaa" else TIMEOUT_S,
            sleep=sleep,
        ):
            deleted.append(name)
        if name == "features":
            delete_feature_groups(clients("sagemaker"), settings.project, on_progress=report, sleep=sleep)
            leftovers.delete_job_logs(clients("logs"), settings.project, report)
    return deleted


def delete_access(
    clients: Clients, settings: Settings, *, on_progress: Progress | None = None, sleep: Sleep = time.sleep
) -> bool:
    """Delete the roles, last of all and as an administrator; False where there were none.

    Raises:
        StackFailed: a role is still in use.
    """
    return delete_stack(clients("cloudformation"), settings.stack("access"), on_progress=on_progress, sleep=sleep)


def empty_bucket(s3: Any, bucket: str) -> None:
    """Delete every version of every object, for good; a bucket that is not there is empty.

    Raises:
        BucketNotEmptied: S3 kept some.
    """
    try:
        # The first page again and again: what a running task writes meanwhile is deleted with the rest.
        while objects := _first_versions(s3, bucket):
            kept = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors", [])
            if kept:
                some = ", ".join(f"{error['Key']} ({error['Code']}: {error.get('Message', '')})" for error in kept[:3])
                raise BucketNotEmptied(f"{len(kept)} objects of {bucket} could not be deleted: {some}")
    except s3.exceptions.NoSuchBucket:
        return


def _first_versions(s3: Any, bucket: str) -> list[dict[str, str]]:
    """Up to a thousand versions and delete markers of a bucket, as DeleteObjects takes them."""
    page = s3.list_object_versions(Bucket=bucket)
    versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
    return [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]


__all__ = [
    "BucketNotEmptied",
    "StackFailed",
    "delete",
    "deploy",
    "finish",
    "release",
    "stack_parameters",
    "template_url",
]
