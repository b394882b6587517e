"""Who may deploy what: an administrator the roles, the deployer's role all else, and what others are told."""

from typing import Any

import boto3
import pytest

from include.settings import settings
from infra.deployment.applying import Applier
from infra.deployment.callers import Callers
from infra.deployment.failure import NotDeployed
from infra.deployment.parts import parts_of
from infra.deployment.planning import Planner
from infra.deployment.roles import as_deployer, local_administrator
from infra.package import Package, build_package
from tests.deployment.homes import BucketHome, deploy, planner, quiet, variant
from tests.localaws.conftest import LocalAws, allow


@pytest.fixture(scope="module")
def base() -> Package:
    return build_package()


def session_of(localaws: LocalAws, role: str) -> boto3.Session:
    """The credentials of a role."""
    found = localaws.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.Session(
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["SessionToken"],
        region_name="us-east-1",
    )


def person(localaws: LocalAws, name: str, *statements: Any) -> boto3.Session:
    """A role of a person, with what they may do."""
    iam = localaws.client("iam")
    trust = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}'
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    localaws.make_role(name, "lambda.amazonaws.com", *statements)
    return session_of(localaws, arn)


def planner_of(localaws: LocalAws, session: boto3.Session, package: Package) -> Planner:
    home = BucketHome(localaws.url)
    home.open(package, print)
    return Planner(home, package, Callers(session, home.caller_arn(session), settings(), localaws.url, "prod"))


def changed_roles(package: Package) -> Package:
    """The package with a role that says something else."""
    template = package.files["stacks/access.yaml"].replace(b"Deploys the project's stacks", b"Deploys all stacks")
    assert template != package.files["stacks/access.yaml"]
    return Package(
        package.version, package.commit, package.airflow_version, package.python_version,
        {**package.files, "stacks/access.yaml": template},
    )  # fmt: skip


def test_who_may_do_nothing_is_told_who_may(localaws: LocalAws, base: Package) -> None:
    nobody = planner_of(localaws, person(localaws, "nobody", allow("sts:GetCallerIdentity")), base)
    with pytest.raises(NotDeployed, match=r"assumed-role/nobody/.*administrator.*make deploy ENV=prod.*--only-access"):
        nobody.plan(parts_of(nobody.home.environment))


def test_the_deployers_role_deploys_all_but_the_roles(localaws: LocalAws, base: Package) -> None:
    deploy(localaws.url, variant(1, base))
    administrator = local_administrator("us-east-1")
    deployer = as_deployer(administrator, settings(), localaws.url)

    newer = planner_of(localaws, deployer, variant(2, base))
    plan = newer.plan(parts_of(newer.home.environment))
    assert {stack.request.name for stack in plan.stacks if stack.action != "nothing"} == {"serving"}
    Applier(newer, quiet()).apply(plan)
    assert planner(localaws.url, variant(2, base)).plan(parts_of(newer.home.environment)).is_empty

    other_roles = planner_of(localaws, deployer, changed_roles(variant(2, base)))
    with pytest.raises(
        NotDeployed,
        match=r"stack garmin-forecast-access is to be changed first.*administrator.*ENV=prod OPTIONS=--only-access",
    ):
        other_roles.plan(parts_of(newer.home.environment))

    by_administrator = planner_of(localaws, administrator, changed_roles(variant(2, base)))
    only_access = by_administrator.plan(("access",))
    assert [(stack.request.name, stack.action) for stack in only_access.stacks] == [("access", "update")]
    Applier(by_administrator, quiet()).apply(only_access)
    assert other_roles.plan(parts_of(newer.home.environment)).is_empty


def test_a_caller_that_may_only_take_the_deployers_role_deploys(localaws: LocalAws, base: Package) -> None:
    deploy(localaws.url, variant(2, base))
    role = f"arn:aws:iam::123456789012:role/{settings().project}-deployer"
    engineer = person(localaws, "engineer", allow("sts:AssumeRole", role))
    found = planner_of(localaws, engineer, variant(3, base))
    plan = found.plan(parts_of(found.home.environment))
    assert {stack.request.name for stack in plan.stacks if stack.action != "nothing"} == {"serving"}


def test_local_aws_gets_its_own_credentials_alone(localaws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    home = BucketHome(localaws.url)
    home.open(None, print)
    localaws.make_role("built", "lambda.amazonaws.com")
    address = f"{localaws.url}/_localaws/credentials/lambda.amazonaws.com/built"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
    assert ":assumed-role/built/" in home.caller_arn(home.session())
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/credentials/of-aws-itself")
    found = home.session().get_credentials()
    assert found is not None and found.access_key == "local"
