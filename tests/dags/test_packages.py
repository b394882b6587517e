"""Which package is served and what is done when it does not come up, with fakes of the AWS clients."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.settings import Settings
from plugins.operators.packages import (
    EndpointFailed,
    NoPackage,
    PackageFailed,
    Packages,
    champion_model,
    choose_packages,
    decide_package,
    endpoint_serves,
    reject_and_restore,
    was_built_since,
)

SETTINGS = Settings()  # type: ignore[call-arg]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def arn(version: int) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:model-package/garmin-forecast-vo2max/{version}"


class SageMaker:
    """A registry whose lists have pages of one package each, filtered after they were cut as SageMaker does."""

    def __init__(
        self,
        *approved: int,
        rejected: tuple[int, ...] = (),
        of_other_features: tuple[int, ...] = (),
        statuses: tuple[str, ...] = ("Completed",),
    ) -> None:
        self.versions = [*((version, "Rejected") for version in rejected), *((it, "Approved") for it in approved)]
        self.others = [arn(version) for version in of_other_features]
        self.statuses = list(statuses)
        self.updated: list[dict[str, Any]] = []

    def list_model_packages(
        self, ModelApprovalStatus: str | None = None, NextToken: str = "0", MaxResults: int = 0, **_: Any
    ) -> dict[str, Any]:
        assert MaxResults == 100
        position = int(NextToken)
        page = [
            {"ModelPackageArn": arn(version), "CreationTime": NOW - timedelta(days=1)}
            for version, status in self.versions[position : position + 1]
            if ModelApprovalStatus in (None, status)
        ]
        more = {"NextToken": str(position + 1)} if position + 1 < len(self.versions) else {}
        return {"ModelPackageSummaryList": page, **more}

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        group = "garmin-forecast-athlete-day-v1" if ModelPackageName in self.others else SETTINGS.feature_group
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelPackageStatus": self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0],
            "CustomerMetadataProperties": {"feature_group": group},
            "InferenceSpecification": {"Containers": [{"ModelDataUrl": f"s3://b/{ModelPackageName[-1]}.tar.gz"}]},
        }

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
        self.stack = {"StackName": "e", "StackId": "e/1", "StackStatus": status, "Outputs": outputs, **times}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        assert StackName == "garmin-forecast-endpoint"
        return {"Stacks": [self.stack]}

    def get_paginator(self, operation: str) -> "CloudFormation":
        assert operation == "describe_stack_events"
        return self

    def paginate(self, StackName: str) -> list[dict[str, Any]]:
        """Events, newest first: a rollback after two failures, the older of which is the cause."""
        assert StackName == "e/1"
        events = (
            ("e", "UPDATE_ROLLBACK_COMPLETE", None),
            ("Serving", "UPDATE_FAILED", "Resource update cancelled"),
            ("Endpoint", "UPDATE_FAILED", "The container did not pass the ping health check"),
            ("e", "UPDATE_IN_PROGRESS", "User Initiated"),
            ("Endpoint", "UPDATE_FAILED", "a failure of another day"),
        )
        return [
            {
                "StackEvents": [
                    {
                        "StackName": "e",
                        "LogicalResourceId": name,
                        "ResourceType": "AWS::SageMaker::Endpoint",
                        "ResourceStatus": status,
                        "Timestamp": NOW + timedelta(seconds=1),
                        **({"ResourceStatusReason": reason} if reason else {}),
                    }
                    for name, status, reason in events
                ]
            }
        ]


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


def test_an_approved_package_behind_newer_rejected_ones_is_found() -> None:
    registry = SageMaker(2, 1, rejected=(4, 3))
    assert choose_packages(registry, Ssm(None), SETTINGS, None) == Packages(arn(2), arn(1))
    assert champion_model(registry, SETTINGS) == "s3://b/2.tar.gz"


def test_a_new_model_is_compared_with_the_approved_one_of_the_same_features() -> None:
    assert champion_model(SageMaker(3, 2, of_other_features=(3,)), SETTINGS) == "s3://b/2.tar.gz"
    assert champion_model(SageMaker(rejected=(1,)), SETTINGS) is None


def test_a_package_is_approved_once_it_is_completed() -> None:
    registry, waits = SageMaker(1, statuses=("Pending", "InProgress", "Completed")), []
    decide_package(registry, arn(1), approved=True, reasons="", sleep=waits.append)
    assert len(waits) == 2
    assert registry.updated == [
        {
            "ModelPackageArn": arn(1),
            "ModelApprovalStatus": "Approved",
            "ApprovalDescription": "every bucket is fit to serve",
        }
    ]


def test_what_a_person_has_to_decide_is_said_in_one_line() -> None:
    registry = SageMaker(1)
    decide_package(registry, arn(1), approved=False, reasons="leak: train\n  has targets\r\n" + "x" * 2000)
    assert list(registry.updated[0]) == ["ModelPackageArn", "ApprovalDescription"]
    description = registry.updated[0]["ApprovalDescription"]
    assert description.startswith("leak: train has targets x")
    assert len(description) == 1024


@pytest.mark.parametrize("status", ["Failed", "InProgress"])
def test_a_package_that_is_not_completed_is_not_approved(status: str) -> None:
    registry = SageMaker(1, statuses=(status,))
    with pytest.raises(PackageFailed, match=f"is {status}"):
        decide_package(registry, arn(1), approved=True, reasons="", sleep=lambda _: None)
    assert registry.updated == []


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
    cause = r"Endpoint \(AWS::SageMaker::Endpoint\): The container did not pass the ping health check"
    with pytest.raises(EndpointFailed, match=f"^stack e is UPDATE_ROLLBACK_COMPLETE: {cause}$"):
        endpoint_serves(failed, SETTINGS, arn(2), NOW)
    old = CloudFormation("UPDATE_ROLLBACK_COMPLETE", 1, NOW - timedelta(days=1))
    assert endpoint_serves(old, SETTINGS, arn(2), NOW) is False


def test_verdicts_that_time_does_not_mend_are_not_waited_for_by_another_try() -> None:
    assert issubclass(EndpointFailed, AirflowFailException)
    assert issubclass(NoPackage, AirflowFailException)


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
