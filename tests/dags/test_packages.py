"""Which package is served and what is done when it does not come up, with fakes of the AWS clients."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.settings import Settings
from plugins.operators.packages import (
    EndpointFailed,
    NoPackage,
    Packages,
    choose_packages,
    endpoint_serves,
    reject_and_restore,
    was_built_since,
)

SETTINGS = Settings()  # type: ignore[call-arg]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def arn(version: int) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:model-package/garmin-forecast-vo2max/{version}"


class SageMaker:
    def __init__(self, *approved: int, of_other_features: tuple[int, ...] = ()) -> None:
        self.approved = approved
        self.others = [arn(version) for version in of_other_features]
        self.updated: list[dict[str, Any]] = []

    def list_model_packages(self, ModelApprovalStatus: str = "Approved", **_: Any) -> dict[str, Any]:
        assert ModelApprovalStatus == "Approved"
        return {
            "ModelPackageSummaryList": [
                {"ModelPackageArn": arn(version), "CreationTime": NOW - timedelta(days=1)} for version in self.approved
            ]
        }

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        group = "garmin-forecast-athlete-day-v1" if ModelPackageName in self.others else SETTINGS.feature_group
        return {"CustomerMetadataProperties": {"feature_group": group}}

    def update_model_package(self, **request: Any) -> None:
        self.updated.append(request)


class Ssm:
    class exceptions:
        class ParameterNotFound(Exception):
            pass

    def __init__(self, served: int | None) -> None:
        self.served = served

    def get_parameter(self, Name: str) -> dict[str, Any]:
        assert Name == "/garmin-forecast/serving"
        if self.served is None:
            raise self.exceptions.ParameterNotFound
        return {"Parameter": {"Value": json.dumps({"model_package_arn": arn(self.served)})}}


class Events:
    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.entries += Entries
        return {"FailedEntryCount": 0}


class CloudFormation:
    def __init__(self, status: str, package: int, changed_at: datetime) -> None:
        outputs = [{"OutputKey": "ModelPackageArn", "OutputValue": arn(package)}]
        times = {"CreationTime": NOW - timedelta(days=9), "LastUpdatedTime": changed_at}
        self.stack = {"StackName": "e", "StackStatus": status, "Outputs": outputs, **times}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        assert StackName == "garmin-forecast-endpoint"
        return {"Stacks": [self.stack]}


@pytest.mark.parametrize(
    ("approved", "served", "wanted", "chosen"),
    [
        ((1,), None, None, Packages(arn(1), None)),
        ((3, 2, 1), 2, None, Packages(arn(3), arn(2))),
        ((3, 2, 1), 3, None, Packages(arn(3), arn(2))),
        ((3, 2, 1), 3, "1", Packages(arn(1), arn(3))),
        ((3, 2, 1), 3, arn(2), Packages(arn(2), arn(3))),
        ((3, 1), 2, None, Packages(arn(3), arn(1))),  # what serves was rejected since: never back to it
    ],
)
def test_the_package_and_the_last_good_one(
    approved: tuple[int, ...], served: int | None, wanted: str | None, chosen: Packages
) -> None:
    assert choose_packages(SageMaker(*approved), Ssm(served), SETTINGS, wanted) == chosen


def test_a_package_that_is_not_approved_is_refused_with_those_that_are() -> None:
    with pytest.raises(NoPackage, match=r"package 7 .* is not approved.*vo2max/1"):
        choose_packages(SageMaker(1), Ssm(None), SETTINGS, "7")
    with pytest.raises(NoPackage, match="no package is approved"):
        choose_packages(SageMaker(), Ssm(None), SETTINGS, None)


def test_a_package_of_other_features_is_neither_served_nor_gone_back_to() -> None:
    assert choose_packages(SageMaker(3, 2, of_other_features=(2,)), Ssm(2), SETTINGS, None) == Packages(arn(3), None)
    assert choose_packages(SageMaker(3, 2, of_other_features=(3,)), Ssm(3), SETTINGS, None) == Packages(arn(2), None)
    with pytest.raises(NoPackage, match=r"vo2max/2 was made for other features .*: run model_build first"):
        choose_packages(SageMaker(3, 2, of_other_features=(2,)), Ssm(None), SETTINGS, "2")


def test_a_build_is_recent_only_if_it_was_made_for_the_features_of_now() -> None:
    assert was_built_since(SageMaker(1), SETTINGS, NOW - timedelta(days=7))
    assert not was_built_since(SageMaker(1), SETTINGS, NOW)
    assert not was_built_since(SageMaker(1, of_other_features=(1,)), SETTINGS, NOW - timedelta(days=7))
    assert not was_built_since(SageMaker(), SETTINGS, NOW - timedelta(days=7))


@pytest.mark.parametrize(
    ("status", "package", "serves"),
    [
        ("UPDATE_COMPLETE", 2, True),
        ("UPDATE_COMPLETE", 1, False),
        ("CREATE_IN_PROGRESS", 2, False),
        ("UPDATE_ROLLBACK_IN_PROGRESS", 1, False),
    ],
)
def test_the_endpoint_serves_once_its_stack_is_complete_with_the_package(
    status: str, package: int, serves: bool
) -> None:
    assert endpoint_serves(CloudFormation(status, package, NOW), SETTINGS, arn(2), NOW) is serves


def test_a_stack_that_failed_since_is_told_and_an_old_failure_waited_past() -> None:
    failed = CloudFormation("UPDATE_ROLLBACK_COMPLETE", 1, NOW + timedelta(seconds=5))
    with pytest.raises(EndpointFailed, match="UPDATE_ROLLBACK_COMPLETE"):
        endpoint_serves(failed, SETTINGS, arn(2), NOW)
    old = CloudFormation("UPDATE_ROLLBACK_COMPLETE", 1, NOW - timedelta(days=1))
    assert endpoint_serves(old, SETTINGS, arn(2), NOW) is False


def test_a_bad_package_is_rejected_and_the_last_good_one_started() -> None:
    sagemaker, events = SageMaker(2, 1), Events()
    told = reject_and_restore(sagemaker, events, SETTINGS, arn(2), arn(1))
    assert sagemaker.updated[0]["ModelApprovalStatus"] == "Rejected"
    assert sagemaker.updated[0]["ModelPackageArn"] == arn(2)
    assert events.entries[0]["DetailType"] == "Endpoint Start Requested"
    assert json.loads(events.entries[0]["Detail"]) == {"model_package_arn": arn(1)}
    assert arn(1) in told


def test_without_a_last_good_package_the_endpoint_is_stopped() -> None:
    events = Events()
    reject_and_restore(SageMaker(1), events, SETTINGS, arn(1), None)
    assert events.entries[0]["DetailType"] == "Endpoint Stop Requested"
