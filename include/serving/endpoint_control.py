"""The Lambdas that start and stop the endpoint: they create, update and delete the `endpoint` stack."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from include.serving.clients import client

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

Event = Mapping[str, Any]
POLL_S = 2.0
LEFTOVERS = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
TIME_TO_ANSWER_S = 20.0
"""Kept back at the end of the Lambda's time."""


class StackBusy(Exception):
    """The endpoint stack is at work for something else: Lambda tries the event again later."""


class NotApproved(Exception):
    """The model package is not approved, or there is none that is."""


def start(event: Event, context: Any) -> dict[str, str]:
    """Serve the model package that the event names, else the newest approved one.

    The event is an approval ("SageMaker Model Package State Change"), ours ("Endpoint Start Requested", with or without
    `detail.model_package_arn`), or a schedule's.

    Raises:
        StackBusy: the stack did not become free in time.
        NotApproved: nothing to serve.
    """
    arn = _package_of(event) or _newest_approved()
    package = client("sagemaker").describe_model_package(ModelPackageName=arn)
    status = package.get("ModelApprovalStatus")
    if status != "Approved":
        raise NotApproved(f"model package {arn} is {status}, not Approved: it is not served")
    action = _deploy(arn, _parameters(package), _deadline(context))
    log.info("endpoint stack %s: %s %s", os.environ["ENDPOINT_STACK"], action, arn)
    return {"action": action, "model_package_arn": arn}


def stop(event: Event, context: Any) -> dict[str, str]:
    """Delete the endpoint stack; without one there is nothing to do."""
    stack = _wait_until_free(_deadline(context))
    if stack is None:
        action = "none: there is no endpoint stack"
    else:
        client("cloudformation").delete_stack(StackName=os.environ["ENDPOINT_STACK"])
        action = "deleting"
    log.info("endpoint stack %s: %s (%s)", os.environ["ENDPOINT_STACK"], action, event.get("detail-type", "by hand"))
    return {"action": action}


def _package_of(event: Event) -> str | None:
    detail = event.get("detail") or {}
    return detail.get("ModelPackageArn") or detail.get("model_package_arn")


def _newest_approved() -> str:
    group = os.environ["MODEL_PACKAGE_GROUP"]
    found = client("sagemaker").list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["ModelPackageSummaryList"]
    if not found:
        raise NotApproved(f"no model package of {group} is approved yet")
    return str(found[0]["ModelPackageArn"])


def _parameters(package: Mapping[str, Any]) -> dict[str, str]:
    """Parameters of the endpoint stack for one model package."""
    container = package["InferenceSpecification"]["Containers"][0]
    metadata = package.get("CustomerMetadataProperties") or {}
    approved_at = package.get("LastModifiedTime") or package["CreationTime"]
    version = str(package.get("ModelPackageVersion", 0))
    what_is_served = {
        "Project": os.environ["PROJECT"],
        "JobRoleArn": os.environ["MODEL_ROLE_ARN"],
        "Image": container["Image"],
        "ModelDataUrl": container["ModelDataUrl"],
        "EndpointMode": os.environ["ENDPOINT_MODE"],
        "InstanceType": os.environ["ENDPOINT_INSTANCE_TYPE"],
    }
    digest = hashlib.sha256(json.dumps(what_is_served, sort_keys=True).encode()).hexdigest()
    return what_is_served | {
        "ModelPackageArn": package["ModelPackageArn"],
        "ModelVersion": metadata.get("model_version", version),
        "DatasetVersion": metadata.get("dataset_version", "unknown"),
        "ApprovedAt": _utc(approved_at),
        "Revision": digest[:12],
    }


def _deploy(arn: str, parameters: Mapping[str, str], deadline: float) -> str:
    """Create or update the stack; says what it did, or that it had nothing to do."""
    cloudformation, name = client("cloudformation"), os.environ["ENDPOINT_STACK"]
    stack = _stack()
    if stack and stack["StackStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS") and _package_in(stack) == arn:
        return "none: in progress already"
    stack = _wait_until_free(deadline)
    if stack and stack["StackStatus"] in LEFTOVERS:
        cloudformation.delete_stack(StackName=name)
        stack = _wait_until_free(deadline)
    request = {
        "StackName": name,
        "TemplateURL": os.environ["TEMPLATE_URL"],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(parameters.items())],
        "RoleARN": os.environ["STACK_ROLE_ARN"],
    }
    if stack is None:
        cloudformation.create_stack(**request)
        return "creating"
    try:
        cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return "none: served already"
        raise
    return "updating"


def _wait_until_free(deadline: float, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any] | None:
    """The stack once nothing is in progress, or None where there is none.

    Raises:
        StackBusy: it was still at work at the deadline.
    """
    while True:
        stack = _stack()
        if stack is None or not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        if time.monotonic() + POLL_S > deadline:
            raise StackBusy(f"stack {stack['StackName']} is {stack['StackStatus']}: to be tried again")
        sleep(POLL_S)


def _stack() -> dict[str, Any] | None:
    try:
        stacks = client("cloudformation").describe_stacks(StackName=os.environ["ENDPOINT_STACK"])["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    living = [stack for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"]
    return dict(living[0]) if living else None


def _package_in(stack: Mapping[str, Any]) -> str | None:
    values = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
    return values.get("ModelPackageArn")


def _deadline(context: Any) -> float:
    remaining_s = context.get_remaining_time_in_millis() / 1000 if context else 60.0
    return time.monotonic() + max(0.0, remaining_s - TIME_TO_ANSWER_S)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
