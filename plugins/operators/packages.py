"""Which model package is served, which one to go back to, and how."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from include.serving import model_packages
from plugins.operators.airflow_sdk import AirflowFailException

if TYPE_CHECKING:
    from include.settings import Settings


PACKAGE_TIMEOUT_S = 600.0
"""SageMaker completes a package of a group in seconds; after so long something is wrong with it."""
PACKAGE_POLL_S = 1.0
DESCRIPTION_LENGTH = 1024


class NoPackage(AirflowFailException):
    """There is no approved package to serve; the task is not tried again."""


class PackageFailed(Exception):
    """SageMaker could not complete a registered model package."""


class EndpointFailed(AirflowFailException):
    """The endpoint stack failed; the message names the resource that failed first. The task is not tried again."""


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
    found_packages = model_packages.newest_first(sagemaker, settings.model_package_group, status="Approved")
    approved = [package["ModelPackageArn"] for package in found_packages]
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
    newest = model_packages.newest(sagemaker, settings.model_package_group)
    return (
        newest is not None
        and newest["CreationTime"] > moment
        and _is_of_these_features(sagemaker, settings, newest["ModelPackageArn"])
    )


def champion_model(sagemaker: Any, settings: "Settings") -> str | None:
    """S3 URI of the model that a new one is compared with: the newest approved one of the features of now."""
    champion = model_packages.newest_approved(sagemaker, settings.model_package_group, settings.feature_group)
    return None if champion is None else str(champion["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])


def decide_package(
    sagemaker: Any, package: str, *, approved: bool, reasons: str, sleep: Callable[[float], None] = time.sleep
) -> str:
    """Approve `package`, or say on it why a person has to decide; returns the description that it got.

    Raises:
        PackageFailed: SageMaker did not complete the package.
    """
    _wait_until_completed(sagemaker, package, sleep)
    description = one_line(reasons) or ("every bucket is fit to serve" if approved else "no reason given")
    status = {"ModelApprovalStatus": "Approved"} if approved else {}
    sagemaker.update_model_package(ModelPackageArn=package, ApprovalDescription=description, **status)
    return description


def one_line(text: str) -> str:
    """`text` as SageMaker takes a description: no line ends, 1024 characters at most."""
    return " ".join(text.split())[:DESCRIPTION_LENGTH]


def _wait_until_completed(sagemaker: Any, package: str, sleep: Callable[[float], None]) -> None:
    """SageMaker makes a package in the background, and refuses to approve one that is still in progress."""
    waited_s = 0.0
    while True:
        described = sagemaker.describe_model_package(ModelPackageName=package)
        status = described["ModelPackageStatus"]
        if status == "Completed":
            return
        if status == "Failed" or waited_s >= PACKAGE_TIMEOUT_S:
            details = described.get("ModelPackageStatusDetails", {})
            raise PackageFailed(f"model package {package} is {status} after {waited_s:.0f} s: {details}")
        sleep(PACKAGE_POLL_S)
        waited_s += PACKAGE_POLL_S


def _is_of_these_features(sagemaker: Any, settings: "Settings", package: str) -> bool:
    described = sagemaker.describe_model_package(ModelPackageName=package)
    return model_packages.feature_group_of(described) == settings.feature_group


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
    from include.deploy.following import find_stack, first_failure

    stack = find_stack(cloudformation, settings.stack("endpoint"))
    if stack is None:
        return False
    status, changed_at = stack["StackStatus"], stack.get("LastUpdatedTime") or stack["CreationTime"]
    if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
        return _outputs(stack).get("ModelPackageArn") == package
    if not status.endswith("IN_PROGRESS") and changed_at >= since:
        reason = first_failure(cloudformation, stack["StackId"], since)
        raise EndpointFailed(f"stack {stack['StackName']} is {status}: {reason}")
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
