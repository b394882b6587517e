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

from include.serving import model_packages
from include.serving.clients import client
from include.serving.model_packages import Package

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

Event = Mapping[str, Any]
Stack = Mapping[str, Any]
POLL_S = 2.0
LEFTOVERS = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
"""States of a stack that CloudFormation only lets us delete."""
STUCK = "UPDATE_ROLLBACK_FAILED"
TIME_TO_ANSWER_S = 20.0
"""Kept back at the end of the Lambda's time."""
CHOICES = {
    "EndpointMode": "ENDPOINT_MODE",
    "InstanceType": "ENDPOINT_INSTANCE_TYPE",
    "InstanceCount": "ENDPOINT_INSTANCE_COUNT",
    "ServerlessMemoryMb": "ENDPOINT_MEMORY_MB",
    "ServerlessMaxConcurrency": "ENDPOINT_MAX_CONCURRENCY",
}
"""Parameters of the endpoint stack and the variables that may choose them; an empty one leaves the stack's default."""


class StackBusy(Exception):
    """The endpoint stack is at work for something else: Lambda tries the event again later."""


class NotApproved(Exception):
    """The model package is not approved, or there is none that is."""


class OtherFeatures(Exception):
    """The model package was made for other features than those that are put now, so it cannot answer."""


def start(event: Event, context: Any) -> dict[str, str]:
    """Serve the model package that the event names, else the newest approved one of the features of now.

    The event is an approval ("SageMaker Model Package State Change"), ours ("Endpoint Start Requested", with or without
    `detail.model_package_arn`), or a schedule's.

    Raises:
        StackBusy: the stack did not become free in time.
        NotApproved: nothing to serve.
        OtherFeatures: the package that the event names was made for other features.
    """
    package = _package_to_serve(event)
    arn = package["ModelPackageArn"]
    _let_logs_expire()
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


def _let_logs_expire() -> None:
    """Make the endpoint's log group with a retention: SageMaker makes one that keeps everything.

    It is no resource of the stack, which a group that the last endpoint left behind would keep from being made.
    """
    suffix = "-serverless" if os.environ.get("ENDPOINT_MODE") == "serverless" else ""
    group = f"/aws/sagemaker/Endpoints/{os.environ['PROJECT']}-vo2max{suffix}"
    logs = client("logs")
    try:
        logs.create_log_group(logGroupName=group)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
    logs.put_retention_policy(logGroupName=group, retentionInDays=int(os.environ["LOG_RETENTION_DAYS"]))


def _package_to_serve(event: Event) -> Package:
    detail = event.get("detail") or {}
    arn = detail.get("ModelPackageArn") or detail.get("model_package_arn")
    group, feature_group = os.environ["MODEL_PACKAGE_GROUP"], os.environ["FEATURE_GROUP"]
    if arn is None:
        newest = model_packages.newest_approved(client("sagemaker"), group, feature_group)
        if newest is None:
            raise NotApproved(f"no model package of {group} for {feature_group} is approved yet")
        return newest
    package: Package = client("sagemaker").describe_model_package(ModelPackageName=arn)
    status = package.get("ModelApprovalStatus")
    if status != "Approved":
        raise NotApproved(f"model package {arn} is {status}, not Approved: it is not served")
    made_for = model_packages.feature_group_of(package)
    if made_for != feature_group:
        raise OtherFeatures(
            f"model package {arn} was made for the features {made_for}, not for {feature_group}: it is not served; "
            "run model_build for a new one"
        )
    return package


def _parameters(package: Package) -> dict[str, str]:
    """Parameters of the endpoint stack for one model package."""
    container = package["InferenceSpecification"]["Containers"][0]
    metadata = package.get("CustomerMetadataProperties") or {}
    approved_at = package.get("LastModifiedTime") or package["CreationTime"]
    version = str(package.get("ModelPackageVersion", 0))
    chosen = {name: os.environ.get(variable, "") for name, variable in CHOICES.items()}
    what_is_served = {
        "Project": os.environ["PROJECT"],
        "ModelRoleArn": os.environ["MODEL_ROLE_ARN"],
        "Image": container["Image"],
        "ModelDataUrl": container["ModelDataUrl"],
        **{name: value for name, value in chosen.items() if value},
    }
    # The template's own defaults and properties count too: a model and a configuration are never changed in place.
    revised = what_is_served | {"TemplateURL": os.environ["TEMPLATE_URL"]}
    digest = hashlib.sha256(json.dumps(revised, sort_keys=True).encode()).hexdigest()
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
    stack = _usable(_wait_until_free(deadline), deadline)
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


def _usable(stack: Stack | None, deadline: float) -> Stack | None:
    """The stack once it can be updated, or None where one is to be created: what cannot be mended is deleted.

    Nothing but the endpoint is lost with the stack, and the endpoint is made anew at once.
    """
    cloudformation, name = client("cloudformation"), os.environ["ENDPOINT_STACK"]
    if stack and stack["StackStatus"] == STUCK:
        log.warning("endpoint stack %s is %s: its rollback is continued", name, STUCK)
        cloudformation.continue_update_rollback(StackName=name, RoleARN=os.environ["STACK_ROLE_ARN"])
        stack = _wait_until_free(deadline)
    if stack and (stack["StackStatus"] in LEFTOVERS or stack["StackStatus"] == STUCK):
        log.warning("endpoint stack %s is %s: it is deleted and created again", name, stack["StackStatus"])
        cloudformation.delete_stack(StackName=name)
        stack = _wait_until_free(deadline)
    return stack


def _wait_until_free(deadline: float, sleep: Callable[[float], None] = time.sleep) -> Stack | None:
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


def _stack() -> Stack | None:
    try:
        stacks = client("cloudformation").describe_stacks(StackName=os.environ["ENDPOINT_STACK"])["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    living = [stack for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"]
    return dict(living[0]) if living else None


def _package_in(stack: Stack) -> str | None:
    values = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
    return values.get("ModelPackageArn")


def _deadline(context: Any) -> float:
    remaining_s = context.get_remaining_time_in_millis() / 1000 if context else 60.0
    return time.monotonic() + max(0.0, remaining_s - TIME_TO_ANSWER_S)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
