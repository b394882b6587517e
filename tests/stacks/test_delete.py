"""Deletion after the project was at work: nothing is left but what was to be kept, and it can be deployed again."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from include.deploy import leftovers, project
from include.deploy.stack import StackFailed, delete_stack, find_stack
from include.settings import Settings
from tests.localaws.conftest import LocalAws

pytestmark = pytest.mark.timeout(120)
LOGS = "/aws/sagemaker/ProcessingJobs"


def settings_of(name: str, **choices: Any) -> Settings:
    return Settings(project=name, account_id="123456789012", region="us-east-1", **choices)


def at_work(localaws: LocalAws, settings: Settings) -> None:
    """Deployed, with model packages, an old feature group, a raw document, Garmin tokens and logs of jobs."""
    for name in ("access", "data", "features", "ml"):
        project.deploy(localaws.client, settings, name)
    s3, sagemaker, logs = (localaws.client(name) for name in ("s3", "sagemaker", "logs"))
    for key in ("raw/a.json", "models/model.tar.gz", "raw/a.json"):
        s3.put_object(Bucket=settings.bucket, Key=key, Body=b"x")
    image = settings.require_image()
    for approval in ("Approved", "Rejected", "PendingManualApproval"):
        sagemaker.create_model_package(
            ModelPackageGroupName=settings.model_package_group,
            ModelApprovalStatus=approval,
            InferenceSpecification={
                "Containers": [{"Image": image, "ModelDataUrl": f"s3://{settings.bucket}/models/model.tar.gz"}],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )
    old = {
        "FeatureGroupName": f"{settings.project}-athlete-day-v1",
        "RecordIdentifierFeatureName": "athlete_id",
        "EventTimeFeatureName": "event_time",
        "FeatureDefinitions": [
            {"FeatureName": "athlete_id", "FeatureType": "String"},
            {"FeatureName": "event_time", "FeatureType": "String"},
        ],
        "OnlineStoreConfig": {"EnableOnlineStore": True},
        "RoleArn": f"arn:aws:iam::123456789012:role/{settings.project}-feature-store",
    }
    if settings.feature_group != old["FeatureGroupName"]:
        sagemaker.create_feature_group(**old)
    localaws.client("ssm").put_parameter(Name=f"/{settings.project}/garmin/ann", Value="t", Type="SecureString")
    if not logs.describe_log_groups(logGroupNamePrefix=LOGS)["logGroups"]:
        logs.create_log_group(logGroupName=LOGS)
    logs.create_log_stream(logGroupName=LOGS, logStreamName=f"{settings.project}-train-20261101t000000z-1/algo-1")
    logs.create_log_stream(logGroupName=LOGS, logStreamName=f"{settings.project}-other/algo-1")


def feature_groups(localaws: LocalAws, settings: Settings) -> list[str]:
    found = localaws.client("sagemaker").list_feature_groups(NameContains=settings.project)["FeatureGroupSummaries"]
    return [group["FeatureGroupName"] for group in found]


def streams(localaws: LocalAws, settings: Settings) -> list[str]:
    found = localaws.client("logs").describe_log_streams(logGroupName=LOGS, logStreamNamePrefix=settings.project)
    return [stream["logStreamName"] for stream in found["logStreams"]]


def test_deletion_after_a_build_keeps_the_history_and_nothing_else(localaws: LocalAws) -> None:
    settings, lines = settings_of("after-build"), list[str]()
    at_work(localaws, settings)
    deleted = project.delete(localaws.client, settings, on_progress=lines.append)
    assert deleted == ["ml", "features"]
    assert "after-build-vo2max: 3 model packages deleted" in lines
    assert feature_groups(localaws, settings) == []
    assert streams(localaws, settings) == ["after-build-other/algo-1"], "what is not ours stays"
    assert localaws.client("s3").get_object(Bucket=settings.bucket, Key="raw/a.json")["Body"].read() == b"x"
    assert localaws.client("ssm").get_parameter(Name="/after-build/garmin/ann")["Parameter"]["Name"]
    for name in ("data", "features", "ml"):
        project.deploy(localaws.client, settings, name)
    assert feature_groups(localaws, settings) == [settings.feature_group]


def test_deletion_with_data_leaves_nothing(localaws: LocalAws) -> None:
    settings = settings_of("all-gone")
    at_work(localaws, settings)
    assert project.delete(localaws.client, settings, with_data=True) == ["ml", "features", "data"]
    with pytest.raises(ClientError, match="NoSuchBucket"):
        localaws.client("s3").list_objects_v2(Bucket=settings.bucket)
    with pytest.raises(ClientError, match="ParameterNotFound"):
        localaws.client("ssm").get_parameter(Name="/all-gone/garmin/ann")
    for stack in ("data", "features", "ml"):
        assert find_stack(localaws.client("cloudformation"), settings.stack(stack)) is None
    assert project.delete(localaws.client, settings, with_data=True) == [], "and twice is once"
    assert project.deploy(localaws.client, settings, "data").changed


def test_a_deletion_that_met_a_new_package_is_finished_by_running_it_again(localaws: LocalAws) -> None:
    settings = settings_of("half-way")
    at_work(localaws, settings)
    with pytest.raises(StackFailed, match="is DELETE_FAILED"):
        delete_stack(localaws.client("cloudformation"), settings.stack("ml"))
    with pytest.raises(StackFailed, match=r"finish it \(python -m infra.deploy delete\)"):
        project.deploy(localaws.client, settings, "ml")
    assert project.delete(localaws.client, settings) == ["ml", "features"]
    assert project.deploy(localaws.client, settings, "ml").changed


def test_the_role_deletes_what_the_role_has_made(localaws: LocalAws) -> None:
    settings, roles = settings_of("by-role"), dict[str, Any]()

    def record(_client: Any, name: str, *, role_arn: str | None, **_: Any) -> bool:
        roles[name.removeprefix("by-role-")] = role_arn
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project, "delete_stack", record)
        project.delete(localaws.client, settings)
        assert set(roles.values()) == {None}, "a deployment that never had the stack access has no such role"
        patch.setattr(project, "find_stack", lambda *_: {"StackStatus": "CREATE_COMPLETE"})
        assert project.delete(localaws.client, settings, with_data=True, with_access=True)[-1] == "access"
    assert roles.pop("access") is None and roles.pop("endpoint") is None
    assert roles.pop("delivery") == "arn:aws:iam::123456789012:role/by-role-delivery-stacks"
    assert set(roles.values()) == {"arn:aws:iam::123456789012:role/by-role-stacks"}


def test_an_object_that_s3_keeps_is_named(localaws: LocalAws) -> None:
    s3 = localaws.client("s3")
    with Stubber(s3) as stub:
        stub.add_response("list_object_versions", {"Versions": [{"Key": "raw/a.json", "VersionId": "v"}]})
        denied = {"Key": "raw/a.json", "VersionId": "v", "Code": "AccessDenied", "Message": "Access Denied"}
        stub.add_response("delete_objects", {"Errors": [denied]})
        with pytest.raises(project.BucketNotEmptied, match=r"1 objects of b could not be deleted: raw/a\.json \(Acc"):
            project.empty_bucket(s3, "b")


def test_job_logs_expire_where_the_settings_say_so(localaws: LocalAws) -> None:
    logs = localaws.client("logs")

    def retention() -> set[int | None]:
        found = logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/")["logGroups"]
        return {g.get("retentionInDays") for g in found if g["logGroupName"] in leftovers.JOB_LOG_GROUPS}

    for name in ("access", "ml"):
        project.deploy(localaws.client, settings_of("logs-kept"), name)
    assert retention() <= {None}, "log groups of the whole account are not touched unasked"
    asked = settings_of("logs-kept", job_log_retention_days=30)
    project.deploy(localaws.client, asked, "ml")
    project.deploy(localaws.client, asked, "ml")
    assert retention() == {30}
