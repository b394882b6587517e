"""Feature groups of older schema versions: they outlive the stack's change to a newer one until a command deletes them.

CloudFormation makes a group under a name that is free. A group that was kept (the schema went back a version, or the
stack was deleted) is therefore taken into use as it is: the stack is told not to make it.
"""

import re
import time
from collections.abc import Callable, Collection
from typing import Any

from include.deploy.stack import Progress, Sleep, StackFailed, find_stack
from include.features.schema import COLUMNS
from include.settings import Settings

Clients = Callable[[str], Any]
RESOURCE = "AthleteDay"
"""The group's name in the template of the stack `features`."""
POLL_S = 1.0
DELETION_TIMEOUT_S = 900
SETTLE_TIMEOUT_S = 1800


def feature_groups_of(sagemaker: Any, project: str) -> list[str]:
    """Names of the project's feature groups, whatever their schema version, oldest first."""
    ours = re.compile(rf"{re.escape(project)}-athlete-day-v\d+")
    pages = sagemaker.get_paginator("list_feature_groups").paginate(
        NameContains=f"{project}-athlete-day-v", SortBy="CreationTime", SortOrder="Ascending"
    )
    names = [group["FeatureGroupName"] for page in pages for group in page["FeatureGroupSummaries"]]
    return [name for name in names if ours.fullmatch(name)]  # a project whose name ends with ours has others


def delete_feature_group(sagemaker: Any, name: str, sleep: Sleep = time.sleep) -> bool:
    """Delete a feature group and wait until its name is free; False where there was none.

    What it wrote to the offline store stays in the bucket.

    Raises:
        StackFailed: it could not be deleted, or not within DELETION_TIMEOUT_S seconds.
    """
    status = _status(sagemaker, name)
    if status is None:
        return False
    if status != "Deleting":
        sagemaker.delete_feature_group(FeatureGroupName=name)
    for _ in range(int(DELETION_TIMEOUT_S / POLL_S)):
        status = _status(sagemaker, name)
        if status is None:
            return True
        if status == "DeleteFailed":
            break
        sleep(POLL_S)
    raise StackFailed(f"feature group {name} could not be deleted: it is {status}")


def delete_feature_groups(
    sagemaker: Any,
    project: str,
    *,
    keep: Collection[str] = (),
    on_progress: Progress | None = None,
    sleep: Sleep = time.sleep,
) -> list[str]:
    """Delete the project's feature groups but those in `keep`; returns the names of those deleted."""
    deleted = []
    for name in feature_groups_of(sagemaker, project):
        if name not in keep and delete_feature_group(sagemaker, name, sleep):
            deleted.append(name)
            if on_progress:
                on_progress(f"feature group {name}: deleted; its offline rows stay under feature-store/")
    return deleted


def prune_feature_groups(
    clients: Clients, settings: Settings, *, on_progress: Progress | None = None, sleep: Sleep = time.sleep
) -> list[str]:
    """Delete the groups of other schema versions than the one in use; returns their names.

    In use are the group of the settings and the one that the serving stack reads: they differ between the deployment
    of a new schema and the first model that was trained on it.
    """
    serving = find_stack(clients("cloudformation"), settings.stack("serving")) or {}
    values = {item["ParameterKey"]: item.get("ParameterValue") for item in serving.get("Parameters", [])}
    keep = {settings.feature_group, values.get("FeatureGroupName") or settings.feature_group}
    return delete_feature_groups(
        clients("sagemaker"), settings.project, keep=keep, on_progress=on_progress, sleep=sleep
    )


def is_kept_group(clients: Clients, settings: Settings, sleep: Sleep = time.sleep) -> bool:
    """Whether the group of the settings exists and is not the stack's own, so that the stack must not make it.

    A leftover that cannot be used (its creation or deletion failed) is deleted first.

    Raises:
        StackFailed: it has other features than the schema of this version.
    """
    cloudformation, sagemaker, name = clients("cloudformation"), clients("sagemaker"), settings.feature_group
    stack = settings.stack("features")
    _wait_until_settled(cloudformation, stack, sleep)
    if _group_of_stack(cloudformation, stack) == name:
        return False
    status = _status(sagemaker, name)
    if status is None:
        return False
    if status != "Created":
        delete_feature_group(sagemaker, name, sleep)
        return False
    definitions = sagemaker.describe_feature_group(FeatureGroupName=name)["FeatureDefinitions"]
    held = {definition["FeatureName"] for definition in definitions}
    if differing := sorted(held ^ set(COLUMNS)):
        raise StackFailed(
            f"feature group {name} exists with other features than this version's ({', '.join(differing)}): "
            "raise SCHEMA_VERSION in include/features/schema.py"
        )
    return True


def _status(sagemaker: Any, name: str) -> str | None:
    try:
        return str(sagemaker.describe_feature_group(FeatureGroupName=name)["FeatureGroupStatus"])
    except sagemaker.exceptions.ResourceNotFound:
        return None


def _group_of_stack(cloudformation: Any, stack: str) -> str | None:
    """Name of the feature group that a stack manages, None where it has none or is not there."""
    if find_stack(cloudformation, stack) is None:
        return None
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    for page in pages:
        for resource in page["StackResourceSummaries"]:
            if resource["LogicalResourceId"] == RESOURCE and not resource["ResourceStatus"].startswith("DELETE"):
                return str(resource["PhysicalResourceId"])
    return None


def _wait_until_settled(cloudformation: Any, stack: str, sleep: Sleep) -> None:
    """Until no operation that an earlier deployment began is under way: it may be making the group."""
    for _ in range(int(SETTLE_TIMEOUT_S / POLL_S)):
        found = find_stack(cloudformation, stack)
        status = found["StackStatus"] if found else ""
        if status == "REVIEW_IN_PROGRESS" or not status.endswith("IN_PROGRESS"):
            return
        sleep(POLL_S)
    raise StackFailed(f"stack {stack} did not settle within {SETTLE_TIMEOUT_S} s")
