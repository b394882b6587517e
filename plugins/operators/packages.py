"""Which model package is served, which one to go back to, and how."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.settings import Settings


class NoPackage(Exception):
    """There is no approved package to serve."""


class EndpointFailed(Exception):
    """The endpoint stack failed."""


@dataclass(frozen=True)
class Packages:
    """ARNs of the package to serve and of the one to go back to."""

    package: str
    last_good: str | None


def choose_packages(sagemaker: Any, ssm: Any, settings: "Settings", wanted: str | None) -> Packages:
    """The package to serve (a version number, an ARN, or None for the newest approved one) and the last good one.

    The last good one is what serves now, or, where that is the package itself, the approved one before it. A package
    that was made for other features is neither.

    Raises:
        NoPackage: none is approved, or the one asked for is not, or was made for other features.
    """
    approved = [
        item["ModelPackageArn"]
        for item in sagemaker.list_model_packages(
            ModelPackageGroupName=settings.model_package_group,
            ModelApprovalStatus="Approved",
            SortBy="CreationTime",
            SortOrder="Descending",
        )["ModelPackageSummaryList"]
    ]
    found = [arn for arn in approved if wanted in (None, arn, arn.rpartition("/")[2])]
    if not found:
        asked = f"package {wanted} of {settings.model_package_group} is not" if wanted else "no package is"
        raise NoPackage(f"{asked} approved; approved are: {', '.join(approved) or 'none'}")
    package = next((arn for arn in found if _is_of_these_features(sagemaker, settings, arn)), None)
    if package is None:
        raise NoPackage(f"{found[0]} was made for other features than {settings.feature_group}: run model_build first")
    before = (arn for arn in (_served(ssm, settings), *approved) if arn in approved and arn != package)
    return Packages(package, next((arn for arn in before if _is_of_these_features(sagemaker, settings, arn)), None))


def was_built_since(sagemaker: Any, settings: "Settings", moment: datetime) -> bool:
    """Whether the newest package was registered after `moment`, for the features of now: no others can be served."""
    newest = sagemaker.list_model_packages(
        ModelPackageGroupName=settings.model_package_group, SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )["ModelPackageSummaryList"]
    return (
        bool(newest)
        and newest[0]["CreationTime"] > moment
        and _is_of_these_features(sagemaker, settings, newest[0]["ModelPackageArn"])
    )


def _is_of_these_features(sagemaker: Any, settings: "Settings", package: str) -> bool:
    found = sagemaker.describe_model_package(ModelPackageName=package)
    return bool(found.get("CustomerMetadataProperties", {}).get("feature_group") == settings.feature_group)


def _served(ssm: Any, settings: "Settings") -> str | None:
    try:
        value = ssm.get_parameter(Name=f"/{settings.project}/serving")["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return str(json.loads(value)["model_package_arn"])


def endpoint_serves(cloudformation: Any, settings: "Settings", package: str, since: datetime) -> bool:
    """Whether the endpoint stack is complete with `package`.

    Raises:
        EndpointFailed: the stack failed or was rolled back after `since`.
    """
    from include.deploy.stack import find_stack

    stack = find_stack(cloudformation, settings.stack("endpoint"))
    if stack is None:
        return False
    status, changed_at = stack["StackStatus"], stack.get("LastUpdatedTime") or stack["CreationTime"]
    if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
        return _outputs(stack).get("ModelPackageArn") == package
    if not status.endswith("IN_PROGRESS") and changed_at >= since:
        raise EndpointFailed(
            f"stack {stack['StackName']} is {status}: {stack.get('StackStatusReason', 'see its events')}"
        )
    return False


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}


def reject_and_restore(sagemaker: Any, events: Any, settings: "Settings", package: str, last_good: str | None) -> str:
    """Reject `package`, so that no schedule starts it again, and ask for the last good one; says what was done."""
    sagemaker.update_model_package(
        ModelPackageArn=package,
        ModelApprovalStatus="Rejected",
        ApprovalDescription="It did not come up, or did not answer, when model_deploy started it.",
    )
    detail_type = "Endpoint Start Requested" if last_good else "Endpoint Stop Requested"
    detail = {"model_package_arn": last_good} if last_good else {}
    entry = {"Source": settings.project, "DetailType": detail_type, "Detail": json.dumps(detail)}
    answer = events.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"EventBridge took no event: {answer['Entries']}")
    return f"{package} is rejected; " + (
        f"{last_good} serves again" if last_good else "nothing serves: no other is good"
    )
