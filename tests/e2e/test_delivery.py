"""From one repository to two, and through the commands of both pipelines to an API that answers, on local AWS."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest

from include import lake
from include.deploy import project
from include.deploy.release import source_version
from include.settings import Settings
from infra.package.folder import read_package
from tests.delivery.buildspec import BuildFailed, artifact, run
from tests.localaws.conftest import LocalAws
from tests.stacks.templates import template

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(project="garmin-forecast", account_id="123456789012", region="us-east-1")
DEPLOYER = f"arn:aws:iam::{SETTINGS.account_id}:role/{SETTINGS.project}-deployer"
FAST_TESTS = {
    "ModelBuild": "test_targets or test_race_time or test_unit_mends or test_units_table or test_schema",
    "ModelDeploy": "test_endpoint_control or test_clients or test_api_keys",
}
"""Tests of each repository, of a few seconds; a real pipeline runs all."""
HELD_BY_LOCAL_AWS = {
    "AWS::IAM::Role", "AWS::IAM::Policy", "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::Logs::LogGroup",
}  # fmt: skip


@pytest.fixture(scope="module")
def localaws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    server = LocalAws(tmp_path_factory.mktemp("localaws"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both repositories as a pipeline gets them: files without git, with the environments that are here already."""
    folder = tmp_path_factory.mktemp("repositories")
    bare = {name: folder / f"{name}.git" for name in FAST_TESTS}
    for place in bare.values():
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", place], check=True)
    remotes = [f"--remote={name}={place}" for name, place in bare.items()]
    command = [sys.executable, "-m", "infra.delivery", "publish", "--environment", "local", *remotes]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    trees = {}
    for name, place in bare.items():
        trees[name] = folder / name
        trees[name].mkdir()
        packed = subprocess.run(["git", "-C", place, "archive", "main"], check=True, capture_output=True).stdout
        subprocess.run(["tar", "--extract", "--directory", trees[name]], input=packed, check=True)
        use_environments(trees[name])
    return trees


def use_environments(tree: Path) -> None:
    """Let `infra/environments.sh` find its work done: it must never change the environments of this checkout."""
    for name in ("airflow", "jobs"):
        with (tree / f"locks/{name}.txt").open() as lock:
            wanted = subprocess.run(["cksum"], stdin=lock, capture_output=True, text=True, check=True).stdout.strip()
        made = (ROOT / f".venvs/{name}/lock-sum").read_text().strip()
        assert made == wanted, f"commit locks/{name}.txt and run sh infra/environments.sh first"
    (tree / ".venvs").symlink_to(ROOT / ".venvs")


@pytest.fixture(scope="module")
def packaged(published: dict[str, Path]) -> dict[str, Path]:
    """What the package builds hand on to the deployments."""
    handed_on = {}
    for name, tree in published.items():
        run(tree, "buildspec-package.yaml", {})
        handed_on[name] = tree.with_name(f"{name}-package")
        artifact(tree, "buildspec-package.yaml", handed_on[name])
        use_environments(handed_on[name])
    return handed_on


@pytest.fixture(scope="module")
def pipelines(localaws: LocalAws) -> None:
    """The roles: of the stack access by an administrator, of the pipelines by the deployer through their own role."""
    project.deploy(localaws.client, SETTINGS, "access")
    whole = template("delivery")
    kept = {name: value for name, value in whole["Resources"].items() if value["Type"] in HELD_BY_LOCAL_AWS}
    reduced = {key: value for key, value in whole.items() if key not in ("Outputs", "Rules")} | {"Resources": kept}
    cloudformation = as_role(localaws, DEPLOYER, "cloudformation")
    given = {"Project": SETTINGS.project, "ProductionEnvironment": "compose"}
    project.deploy_stack(
        cloudformation,
        SETTINGS.stack("delivery"),
        given,
        template_body=json.dumps(reduced),
        role_arn=SETTINGS.delivery_stacks_role_arn,
    )


def as_role(localaws: LocalAws, role_arn: str, service: str) -> Any:
    session = localaws.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=localaws.url,
        region_name=SETTINGS.region,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )


def build_of(localaws: LocalAws, role: str) -> dict[str, str]:
    """The variables of a build that runs under a role of the pipelines."""
    name = f"{SETTINGS.project}-delivery-{role}"
    stage = "test" if role == "build" else role
    project_name = f"{SETTINGS.project}-ModelBuild-{stage}"
    source = f"arn:aws:codebuild:{SETTINGS.region}:{SETTINGS.account_id}:project/{project_name}"
    credentials = f"{localaws.url}/_localaws/credentials/codebuild.amazonaws.com/{name}?source-arn={quote(source)}"
    return {
        "AWS_ENDPOINT_URL": localaws.url,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials,
        "AWS_REGION": SETTINGS.region,
        "AWS_DEFAULT_REGION": SETTINGS.region,
        "ENVIRONMENT": "compose",
        "GFF_AIRFLOW_URL": "http://127.0.0.1:9",  # nobody answers: a pipeline leaves these containers alone
    }


@pytest.mark.parametrize("name", FAST_TESTS)
def test_the_tests_of_a_repository_run_in_it_alone(name: str, published: dict[str, Path]) -> None:
    chosen = {"PYTEST_ADDOPTS": f'-k "{FAST_TESTS[name]}" -p no:cacheprovider'}
    output = run(published[name], "buildspec-test.yaml", chosen)
    assert " passed" in output and " failed" not in output
    assert str(ROOT / "tests") not in output, "it runs its own tests"


def test_both_package_the_same_release(packaged: dict[str, Path]) -> None:
    """Each pipeline makes its release the current one: neither may take back the other's."""
    packages = [read_package(tree / "dist") for tree in packaged.values()]
    assert packages[0] == packages[1]
    assert packages[0].version == source_version(ROOT), (
        "commit the product's files first: what is committed is published"
    )


def test_a_build_that_only_tests_cannot_deploy(localaws: LocalAws, packaged: dict[str, Path], pipelines: None) -> None:
    with pytest.raises(BuildFailed, match=r"-delivery-build/.* may not act as .*-deployer \(.* sts:AssumeRole"):
        run(packaged["ModelBuild"], "buildspec-deploy.yaml", build_of(localaws, "build"))
    assert (
        localaws.client("cloudformation").describe_stacks()["Stacks"][0]["StackName"].endswith(("access", "delivery"))
    )


def test_a_changed_package_is_not_deployed(
    localaws: LocalAws, packaged: dict[str, Path], pipelines: None, tmp_path: Path
) -> None:
    changed = shutil.copytree(packaged["ModelBuild"], tmp_path / "changed", symlinks=True)
    (changed / "dist/release/jobs/include/jobs/train.py").write_text("")
    with pytest.raises(
        BuildFailed, match=r"1 files in dist are not as packaged, the first is release/jobs/include/jobs/train\.py"
    ):
        run(changed, "buildspec-deploy.yaml", build_of(localaws, "production"))
    with pytest.raises(localaws.client("cloudformation").exceptions.ClientError, match="does not exist"):
        localaws.client("cloudformation").describe_stacks(StackName=SETTINGS.stack("data"))


def test_both_pipelines_deploy_and_the_api_answers(
    localaws: LocalAws, packaged: dict[str, Path], pipelines: None
) -> None:
    build = build_of(localaws, "production")
    output = run(packaged["ModelBuild"], "buildspec-deploy.yaml", build)
    assert all(f"stack garmin-forecast-{name}: done" in output for name in ("data", "features", "ml"))
    assert "release: done" in output and "stack garmin-forecast-serving" not in output
    assert "mwaa: skipped, environment compose has Airflow in its compose" in output
    output = run(packaged["ModelDeploy"], "buildspec-deploy.yaml", build)
    assert "release: done" not in output, "it is the release that ModelBuild uploaded"
    assert "stack garmin-forecast-serving: done" in output and "API: done" in output
    released = json.loads(localaws.client("s3").get_object(Bucket=SETTINGS.bucket, Key=lake.RELEASE_KEY)["Body"].read())
    assert released["git_commit"] == "0" * 40, "without git the build names the commit"
    outputs = project.find_stack(localaws.client("cloudformation"), SETTINGS.stack("serving"))["Outputs"]
    values = {item["OutputKey"]: item["OutputValue"] for item in outputs}
    url = f"{localaws.url}/restapis/{values['ApiId']}/{values['StageName']}/_user_request_/health"
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert answer.status == 200
    again = run(packaged["ModelDeploy"], "buildspec-deploy.yaml", build)
    assert "Everything is as it should be." in again


def test_no_role_was_denied_anything_but_the_build_that_only_tests(localaws: LocalAws) -> None:
    with urllib.request.urlopen(f"{localaws.url}/_localaws/iam/calls", timeout=10) as answer:
        calls = json.load(answer)
    denied = {(call["role"], call["action"]) for call in calls["denied"]}
    assert denied <= {(f"{SETTINGS.project}-delivery-build", "sts:AssumeRole")}
    used = {role for role, *_ in calls["grants"]}
    assert {f"{SETTINGS.project}-{name}" for name in ("deployer", "delivery-stacks", "delivery-production")} <= used
