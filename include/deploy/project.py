"""The project's stacks, in their order, with the parameters that the settings give them."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from include import lake
from include.deploy import api_keys
from include.deploy.release import ROOT, Published, build_release, current_release, publish, stack_template
from include.deploy.stack import Progress, Sleep, StackFailed, StackResult, delete_stack, deploy_stack
from include.settings import XGBOOST_REGISTRY_ACCOUNTS, Settings

FROM_CHECKOUT = ("data", "features", "ml")
"""Stacks that need no release, in the order of their creation; `serving` follows, `endpoint` is the start Lambda's."""
DELETE_ORDER = ("endpoint", "serving", "ml", "features", "data")


Clients = Callable[[str], Any]
"""Makes the boto3 client of a service, by its name."""


def stack_parameters(settings: Settings, name: str, release: str | None = None) -> dict[str, str]:
    """Parameters of one stack; `serving` needs the version of a release.

    Raises:
        ValueError: no such stack, or `serving` without a release.
    """
    if name == "data":
        return {"BucketName": settings.bucket}
    common = {"Project": settings.project, "BucketName": settings.bucket}
    if name == "features":
        return common | {"FeatureGroupName": settings.feature_group}
    if name == "ml":
        return common | {"ImageAccount": XGBOOST_REGISTRY_ACCOUNTS[settings.region]}
    if name != "serving":
        raise ValueError(f"stack {name!r} is not deployed from here; one of data, features, ml, serving")
    if release is None:
        raise ValueError("the serving stack runs a release: publish one first (python -m infra.deploy release)")
    return common | {
        "CodePrefix": lake.code_prefix(release),
        "FeatureGroupName": settings.feature_group,
        "ModelRoleArn": f"arn:aws:iam::{settings.account_id}:role/{settings.project}-model",
        **_chosen(settings),
    }


def _chosen(settings: Settings) -> dict[str, str]:
    """Parameters of `serving` that the settings choose; what they leave open is the stack's to say."""
    choices = {
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
    """Deploy stack `name`: `data`, `features` and `ml` as checked out, `serving` as released.

    Raises:
        StackFailed: CloudFormation refused or failed.
        ValueError: no such stack, or nothing is released yet.
    """
    cloudformation = clients("cloudformation")
    body = stack_template(name, root) if name in FROM_CHECKOUT else None
    version = None if body else current_release(clients("s3"), settings.bucket)
    done = deploy_stack(
        cloudformation,
        settings.stack(name),
        stack_parameters(settings, name, version) | dict(overrides or {}),
        template_body=body,
        template_url=template_url(settings, version, name) if version else None,
        on_progress=on_progress,
        sleep=sleep,
    )
    if name == "serving":
        api_keys.seed(clients("s3"), settings.bucket, done.outputs["ApiKeyId"])
    return done


def template_url(settings: Settings, release: str, name: str) -> str:
    """Where CloudFormation reads a released template."""
    return f"https://{settings.bucket}.s3.{settings.region}.amazonaws.com/{lake.code_prefix(release)}stacks/{name}.yaml"


def release(clients: Clients, settings: Settings, root: Path = ROOT) -> Published:
    """Build the checkout and publish it to the bucket of the data stack."""
    return publish(clients("s3"), settings.bucket, build_release(root))


def delete(
    clients: Clients,
    settings: Settings,
    *,
    with_data: bool = False,
    on_progress: Progress | None = None,
    sleep: Sleep = time.sleep,
) -> list[str]:
    """Delete the project's stacks, the endpoint first; the bucket and all history only `with_data`.

    Returns the names of the stacks that were deleted.

    Raises:
        StackFailed: a stack could not be deleted.
    """
    cloudformation = clients("cloudformation")
    deleted = []
    for name in DELETE_ORDER:
        if name == "data":
            if not with_data:
                continue
            _empty_bucket(clients("s3"), settings.bucket)
        if delete_stack(cloudformation, settings.stack(name), on_progress=on_progress, sleep=sleep):
            deleted.append(name)
    return deleted


def _empty_bucket(s3: Any, bucket: str) -> None:
    """Delete every version of every object, for good."""
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
            objects = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions]
            if objects:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    except s3.exceptions.NoSuchBucket:
        return


__all__ = ["StackFailed", "delete", "deploy", "release", "stack_parameters", "template_url"]
