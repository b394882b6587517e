"""Feature groups of older schema versions: kept, taken into use again, pruned, deleted with the project."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from include.deploy import project
from include.deploy.feature_groups import delete_feature_group, feature_groups_of, prune_feature_groups
from include.deploy.release import ROOT
from include.deploy.stack import StackFailed, delete_stack, find_stack
from include.features.schema import SCHEMA_VERSION
from include.features.store import latest
from include.settings import Settings
from tests.localaws.conftest import LocalAws

pytestmark = pytest.mark.timeout(120)
OLD, NEW = SCHEMA_VERSION, SCHEMA_VERSION + 1


@dataclasses.dataclass
class Deployment:
    """The data and features stacks of one project."""

    aws: LocalAws
    settings: Settings
    set_version: Callable[[int], None]

    def deploy(self, version: int = OLD, **overrides: str) -> None:
        self.set_version(version)
        project.deploy(self.aws.client, self.settings, "features", overrides=overrides, sleep=lambda _: None)

    @property
    def groups(self) -> list[str]:
        return feature_groups_of(self.aws.client("sagemaker"), self.settings.project)

    def name(self, version: int) -> str:
        return f"{self.settings.project}-athlete-day-v{version}"

    def put(self, version: int) -> None:
        record = {"athlete_id": "ann", "event_time": "2026-03-01T00:00:00Z", "sport": "running"}
        self.aws.client("sagemaker-featurestore-runtime").put_record(
            FeatureGroupName=self.name(version),
            Record=[{"FeatureName": key, "ValueAsString": value} for key, value in record.items()],
        )

    def holds(self, version: int) -> bool:
        return latest(self.aws.client("sagemaker-featurestore-runtime"), self.name(version), "ann") is not None


@pytest.fixture
def deployment(localaws: LocalAws, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Deployment:
    name = "g-" + str(abs(hash(request.node.name)))[:10]
    made = Deployment(
        localaws,
        Settings(project=name, account_id="123456789012"),
        lambda version: monkeypatch.setattr("include.settings.SCHEMA_VERSION", version),
    )
    for stack in ("access", "data"):
        project.deploy(localaws.client, made.settings, stack)
    return made


def test_the_group_of_the_old_schema_stays_readable_after_the_new_one_is_deployed(deployment: Deployment) -> None:
    deployment.deploy(OLD)
    deployment.put(OLD)
    deployment.deploy(NEW)
    assert deployment.groups == [deployment.name(OLD), deployment.name(NEW)]
    assert deployment.holds(OLD)


def test_a_schema_that_goes_back_finds_its_group_with_what_it_held(deployment: Deployment) -> None:
    deployment.deploy(OLD)
    deployment.put(OLD)
    deployment.deploy(NEW)
    deployment.put(NEW)
    for version in (OLD, NEW, OLD):
        deployment.deploy(version)
        assert deployment.holds(OLD) and deployment.holds(NEW)
    deployment.deploy(NEW + 1)
    assert deployment.groups == [deployment.name(version) for version in (OLD, NEW, NEW + 1)]


def test_a_stack_deleted_and_deployed_again_takes_its_group_back(deployment: Deployment) -> None:
    deployment.deploy()
    deployment.put(OLD)
    assert delete_stack(deployment.aws.client("cloudformation"), deployment.settings.stack("features"))
    deployment.deploy()
    assert deployment.holds(OLD)


def test_deleting_the_project_leaves_no_group_and_it_can_be_deployed_again(deployment: Deployment) -> None:
    for version in (OLD, NEW):
        deployment.deploy(version)
    project.delete(deployment.aws.client, deployment.settings)
    assert deployment.groups == []
    assert find_stack(deployment.aws.client("cloudformation"), deployment.settings.stack("features")) is None
    deployment.deploy(NEW)
    assert deployment.groups == [deployment.name(NEW)]


def test_cloudformation_cannot_make_a_group_whose_name_is_taken(deployment: Deployment) -> None:
    deployment.deploy(OLD)
    deployment.deploy(NEW)
    with pytest.raises(StackFailed, match=r"AthleteDay.*already exists"):
        deployment.deploy(OLD, FeatureGroupExists="false")
    assert deployment.groups == [deployment.name(OLD), deployment.name(NEW)]


def test_a_kept_group_of_other_features_is_refused(deployment: Deployment) -> None:
    deployment.deploy(OLD)
    deployment.deploy(NEW)
    addition = {"FeatureName": "shoe_size", "FeatureType": "Fractional"}
    deployment.aws.client("sagemaker").update_feature_group(
        FeatureGroupName=deployment.name(OLD), FeatureAdditions=[addition]
    )
    with pytest.raises(StackFailed, match=r"shoe_size.*SCHEMA_VERSION"):
        deployment.deploy(OLD)


def test_pruning_deletes_all_groups_but_the_one_in_use(deployment: Deployment) -> None:
    for version in (OLD, NEW):
        deployment.deploy(version)
    lines: list[str] = []
    prune = dict[str, Any](on_progress=lines.append, sleep=lambda _: None)
    assert prune_feature_groups(deployment.aws.client, deployment.settings, **prune) == [deployment.name(OLD)]
    assert deployment.groups == [deployment.name(NEW)]
    assert deployment.name(OLD) in lines[0]
    assert prune_feature_groups(deployment.aws.client, deployment.settings, **prune) == []


def test_pruning_keeps_the_group_that_the_serving_stack_still_reads(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (OLD, NEW):
        deployment.deploy(version)
    parameters = [{"ParameterKey": "FeatureGroupName", "ParameterValue": deployment.name(OLD)}]
    serving = {deployment.settings.stack("serving"): {"Parameters": parameters}}
    monkeypatch.setattr("include.deploy.feature_groups.find_stack", lambda _, name: serving.get(name))
    assert prune_feature_groups(deployment.aws.client, deployment.settings) == []


def test_groups_of_a_project_whose_name_ends_alike_are_not_ours(deployment: Deployment) -> None:
    deployment.deploy()
    other = dataclasses.replace(
        deployment, settings=Settings(project="x-" + deployment.settings.project, account_id="123456789012")
    )
    for stack in ("access", "data"):
        project.deploy(other.aws.client, other.settings, stack)
    other.deploy()
    assert deployment.groups == [deployment.name(OLD)]
    assert deployment.settings.feature_group == deployment.name(OLD)


def test_the_command_says_what_it_pruned(deployment: Deployment) -> None:
    for version in (OLD - 1, OLD):
        deployment.deploy(version)
    environment = {
        "AWS_ENDPOINT_URL": deployment.aws.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "GFF_PROJECT": deployment.settings.project,
    }
    command = [sys.executable, "-m", "infra.deploy", "prune-features"]
    outputs = [
        subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert f"feature groups deleted: {deployment.name(OLD - 1)}" in outputs[0]
    assert "none" in outputs[1]
    assert deployment.groups == [deployment.name(OLD)]


class SlowDeletion:
    """SageMaker whose group is Deleting for a while."""

    class exceptions:
        class ResourceNotFound(Exception):
            """No such group."""

    def __init__(self, *statuses: str | None) -> None:
        self.statuses, self.deletions = list(statuses), 0

    def describe_feature_group(self, FeatureGroupName: str) -> dict[str, Any]:
        status = self.statuses.pop(0)
        if status is None:
            raise self.exceptions.ResourceNotFound
        return {"FeatureGroupStatus": status}

    def delete_feature_group(self, FeatureGroupName: str) -> None:
        self.deletions += 1


def test_a_deletion_is_over_when_the_name_is_free() -> None:
    sagemaker = SlowDeletion("Created", "Deleting", "Deleting", None)
    assert delete_feature_group(sagemaker, "g", sleep=lambda _: None)
    assert (sagemaker.statuses, sagemaker.deletions) == ([], 1)
    assert not delete_feature_group(SlowDeletion(None), "g")
    with pytest.raises(StackFailed, match="DeleteFailed"):
        delete_feature_group(SlowDeletion("Created", "DeleteFailed"), "g")
