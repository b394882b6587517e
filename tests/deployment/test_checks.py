"""What a check before a deployment finds: on AWS by botocore's stubber, on local AWS for real."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber

from include.garmin.connect.tokens import Tokens, TokenStore
from include.settings import Settings
from infra import deploy
from infra.deployment import checks, quotas
from infra.deployment.environment import Environment
from infra.deployment.findings import Finding, Place
from infra.package import Package, write_package
from tests.localaws.conftest import LocalAws

ACCOUNT, NOW = "111122223333", datetime(2026, 11, 26, tzinfo=UTC)
SETTINGS = Settings(project="garmin-forecast", account_id=ACCOUNT, region="eu-west-1")
PROD = Environment(name="prod", home="mwaa", account_id=ACCOUNT, region="eu-west-1")
KEYS = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/garmin-forecast-deployer/me"


class Aws:
    """Stubbed clients, one a service, that answer in the order of `answers` and `refuses`."""

    def __init__(self) -> None:
        self._stubs: dict[str, tuple[Any, Stubber]] = {}

    def client(self, service: str) -> Any:
        if service not in self._stubs:
            made = boto3.client(service, **KEYS)  # type: ignore[call-overload]
            stub = Stubber(made)
            stub.activate()
            self._stubs[service] = made, stub
        return self._stubs[service][0]

    def answers(self, service: str, operation: str, answer: Mapping[str, Any]) -> None:
        self.client(service)
        self._stubs[service][1].add_response(operation, dict(answer))

    def refuses(self, service: str, operation: str, code: str, message: str = "no", status: int = 400) -> None:
        self.client(service)
        self._stubs[service][1].add_client_error(operation, code, message, status)

    def has_stack(self, name: str, **outputs: str) -> None:
        found = {"StackName": f"garmin-forecast-{name}", "StackStatus": "UPDATE_COMPLETE", "CreationTime": NOW}
        listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        self.answers("cloudformation", "describe_stacks", {"Stacks": [found | {"Outputs": listed}]})

    def has_no_stack(self) -> None:
        self.refuses("cloudformation", "describe_stacks", "ValidationError", "Stack does not exist")

    def is_called_by(self, arn: str = ARN, account: str = ACCOUNT) -> None:
        self.answers("sts", "get_caller_identity", {"Account": account, "Arn": arn, "UserId": "u"})

    def has_quotas(self, service: str, **values: float) -> None:
        listed = [{"QuotaName": name, "Value": value} for name, value in values.items()]
        self.answers("service-quotas", "list_service_quotas", {"Quotas": listed})


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def place(aws: Aws, tmp_path: Path) -> Place:
    return Place(aws.client, SETTINGS, PROD, is_local=False, package=tmp_path / "dist", now=NOW)


def found_by(check: checks.Check, place: Place) -> list[tuple[str, str]]:
    return [(finding.verdict, finding.sentence) for finding in check(place)]


def only(check: checks.Check, place: Place) -> Finding:
    (finding,) = check(place)
    return finding


# Identity and roles


def test_credentials_of_another_account_stop_a_deployment(aws: Aws, place: Place) -> None:
    aws.is_called_by(account="999999999999")
    finding = only(checks.check_identity, place)
    assert finding.verdict == "blocker"
    assert "999999999999, not 111122223333" in finding.sentence


def test_the_right_account_and_region_are_named(aws: Aws, place: Place) -> None:
    aws.is_called_by()
    assert found_by(checks.check_identity, place) == [("ok", ARN), ("ok", "eu-west-1")]


def test_clients_of_another_region_stop_a_deployment(aws: Aws, place: Place) -> None:
    aws.is_called_by()
    abroad = replace(place, settings=SETTINGS.model_copy(update={"region": "eu-central-1"}))
    assert "set AWS_REGION=eu-central-1" in list(checks.check_identity(abroad))[1].sentence


def test_without_credentials_only_what_this_machine_knows_is_said(place: Place) -> None:
    sts = boto3.client("sts", **KEYS)

    def clients(service: str) -> Any:
        assert service == "sts", service

        def fail() -> None:
            raise NoCredentialsError

        sts.get_caller_identity = fail
        return sts

    findings = checks.run_checks(replace(place, clients=clients))
    verdicts = {finding.name: finding.verdict for finding in findings}
    assert verdicts.pop("identity") == "blocker"
    assert (verdicts.pop("image"), verdicts.pop("package")) == ("ok", "blocker")
    assert set(verdicts.values()) == {"skipped"}
    assert set(verdicts) == {*checks.CHECKS, *checks.CHECKS_ON_AWS}


OUTPUTS = {
    "DeployerRoleArn": f"arn:aws:iam::{ACCOUNT}:role/garmin-forecast-deployer",
    "BoundaryArn": "b",
    "StacksRoleArn": "s",
    "StacksAirflowArn": "a",
}


def test_without_the_roles_an_administrator_is_needed(aws: Aws, place: Place) -> None:
    aws.has_no_stack()
    assert "an administrator of the account runs" in only(checks.check_roles, place).sentence


def test_roles_of_an_older_version_stop_a_deployment(aws: Aws, place: Place) -> None:
    aws.has_stack("access", **{name: value for name, value in OUTPUTS.items() if name != "StacksAirflowArn"})
    finding = only(checks.check_roles, place)
    assert (finding.verdict, "StacksAirflowArn" in finding.sentence) == ("blocker", True)


def test_the_deployer_is_known_by_its_role(aws: Aws, place: Place) -> None:
    aws.has_stack("access", **OUTPUTS)
    aws.is_called_by()
    assert [verdict for verdict, _ in found_by(checks.check_roles, place)] == ["ok", "ok"]


def test_whoever_cannot_become_the_deployer_is_told_what_that_means(aws: Aws, place: Place) -> None:
    aws.has_stack("access", **OUTPUTS)
    aws.is_called_by(arn=f"arn:aws:iam::{ACCOUNT}:user/someone")
    aws.refuses("sts", "assume_role", "AccessDenied", status=403)
    assert [verdict for verdict, _ in found_by(checks.check_roles, place)] == ["ok", "warning"]


# Quotas

M5 = {"ml.m5.large for processing job usage": 2.0, "ml.m5.large for training job usage": 2.0}


def test_a_quota_of_nought_stops_a_deployment_and_says_where_to_ask(aws: Aws, place: Place) -> None:
    aws.has_quotas(
        "sagemaker", **M5 | {"ml.m5.large for training job usage": 0.0, "ml.t2.medium for endpoint usage": 2}
    )
    findings = list(quotas.check_instances(place))
    assert [finding.verdict for finding in findings] == ["ok", "blocker", "ok"]
    assert "training" in findings[1].name
    assert "https://eu-west-1.console.aws.amazon.com/servicequotas/home/services/sagemaker" in findings[1].sentence


def test_an_endpoint_needs_twice_its_instances(aws: Aws, place: Place) -> None:
    aws.has_quotas("sagemaker", **M5, **{"ml.t2.medium for endpoint usage": 1})
    assert found_by(quotas.check_instances, place)[2][0] == "blocker"


def test_a_serverless_endpoint_needs_no_instance(aws: Aws, place: Place) -> None:
    aws.has_quotas("sagemaker", **M5)
    serverless = PROD.model_copy(update={"stacks": {"serving": {"EndpointMode": "serverless"}}})
    assert [v for v, _ in found_by(quotas.check_instances, replace(place, environment=serverless))] == ["ok", "ok"]


def test_a_quota_of_an_unknown_name_is_said_and_stops_nothing(aws: Aws, place: Place) -> None:
    aws.has_quotas("sagemaker")
    assert {v for v, _ in found_by(quotas.check_instances, place)} == {"warning"}


def environments_and_networks(aws: Aws, *, environments: int, vpcs: int, addresses: int) -> None:
    aws.has_no_stack()
    aws.answers("mwaa", "list_environments", {"Environments": [f"e{n}" for n in range(environments)]})
    aws.answers("ec2", "describe_vpcs", {"Vpcs": [{"VpcId": f"vpc-{n}"} for n in range(vpcs)]})
    aws.answers("ec2", "describe_addresses", {"Addresses": [{"PublicIp": f"10.0.0.{n}"} for n in range(addresses)]})
    aws.has_quotas("airflow", Environments=10)
    aws.has_quotas("vpc", **{"VPCs per Region": 5})
    aws.has_quotas("ec2", **{"EC2-VPC Elastic IPs": 5})


def test_what_is_in_use_counts_against_the_quotas_of_airflow(aws: Aws, place: Place) -> None:
    environments_and_networks(aws, environments=10, vpcs=4, addresses=5)
    findings = {f.name: f for f in quotas.check_airflow_quotas(place)}
    assert {name.removeprefix("quota: "): finding.verdict for name, finding in findings.items()} == {
        "environments": "blocker",
        "VPCs per Region": "ok",
        "EC2-VPC Elastic IPs": "blocker",
    }
    assert "5, 5 in use, 1 wanted for the NAT gateway" in findings["quota: EC2-VPC Elastic IPs"].sentence


def test_a_stack_that_is_there_needs_nothing_more(aws: Aws, place: Place) -> None:
    aws.has_stack("mwaa")
    assert list(quotas.check_airflow_quotas(place)) == []


@pytest.mark.parametrize(("limit", "verdict"), [(10, "warning"), (1000, "ok")])
def test_a_new_account_runs_ten_functions_at_once(aws: Aws, place: Place, limit: int, verdict: str) -> None:
    aws.answers("lambda", "get_account_settings", {"AccountLimit": {"ConcurrentExecutions": limit}})
    assert only(quotas.check_concurrency, place).verdict == verdict


def test_a_question_that_may_not_be_asked_is_a_warning_and_the_rest_goes_on(aws: Aws, place: Place) -> None:
    aws.is_called_by()
    aws.has_no_stack()  # access
    aws.refuses("s3", "head_bucket", "404", status=404)
    aws.has_no_stack()  # data
    aws.refuses("service-quotas", "list_service_quotas", "AccessDeniedException", "not authorized")
    aws.answers("lambda", "get_account_settings", {"AccountLimit": {"ConcurrentExecutions": 1000}})
    aws.refuses("mwaa", "get_environment", "ResourceNotFoundException", status=404)
    environments_and_networks(aws, environments=0, vpcs=1, addresses=0)
    findings = {finding.name: finding for finding in checks.run_checks(place)}
    assert findings["quotas of SageMaker"].verdict == "warning"
    assert "not authorized" in findings["quotas of SageMaker"].sentence
    assert findings["Amazon MWAA"].verdict == "ok"
    assert findings["quota: environments"].verdict == "ok"


# Image, buckets, tokens, package, MWAA


def test_a_region_without_the_image_stops_a_deployment(place: Place) -> None:
    lacking = replace(place, settings=SETTINGS.model_copy(update={"region": "eu-isoe-west-1"}))
    finding = only(checks.check_image, lacking)
    assert finding.verdict == "blocker"


@pytest.mark.parametrize(
    ("code", "has_stack", "verdict", "words"),
    [
        ("404", False, "ok", "free"),
        ("403", False, "blocker", "someone else's"),
        ("404", True, "blocker", "deleted by hand"),
        (None, True, "ok", "ours"),
        (None, False, "blocker", "of no stack"),
    ],
)
def test_a_bucket_name_is_free_ours_or_lost(
    aws: Aws, place: Place, code: str | None, has_stack: bool, verdict: str, words: str
) -> None:
    if code:
        aws.refuses("s3", "head_bucket", code, status=int(code))
    else:
        aws.answers("s3", "head_bucket", {})
    if has_stack:
        aws.has_stack("data")
    else:
        aws.has_no_stack()
    finding = only(checks.check_buckets, place)
    assert (finding.verdict, words in finding.sentence) == (verdict, True)


@pytest.mark.parametrize(("status", "verdict"), [("Enabled", "ok"), ("Suspended", "blocker")])
def test_another_bucket_for_airflow_must_keep_versions(aws: Aws, place: Place, status: str, verdict: str) -> None:
    aws.answers("s3", "head_bucket", {})
    aws.has_stack("data")
    aws.answers("s3", "head_bucket", {})
    aws.answers("s3", "get_bucket_versioning", {"Status": status})
    other = PROD.model_copy(update={"stacks": {"mwaa": {"BucketName": "our-airflow"}}})
    assert [v for v, _ in found_by(checks.check_buckets, replace(place, environment=other))] == ["ok", verdict]


@pytest.mark.parametrize(
    ("version", "status", "verdict"),
    [
        ("3.2.1", "AVAILABLE", "ok"),
        ("3.0.6", "AVAILABLE", "ok"),
        ("3.3.1", "AVAILABLE", "blocker"),
        ("3.2.1", "UPDATING", "warning"),
        ("3.2.1", "CREATE_FAILED", "warning"),
    ],
)
def test_an_environment_is_upgraded_and_never_downgraded(
    aws: Aws, place: Place, version: str, status: str, verdict: str
) -> None:
    found = {"Name": "garmin-forecast", "Status": status, "AirflowVersion": version, "EnvironmentClass": "mw1.small"}
    aws.answers("mwaa", "get_environment", {"Environment": found})
    assert only(checks.check_airflow, place).verdict == verdict


def test_a_region_without_mwaa_stops_a_deployment(place: Place) -> None:
    abroad = replace(place, settings=SETTINGS.model_copy(update={"region": "mx-central-1"}))
    assert only(checks.check_airflow, abroad).verdict == "blocker"


def packaged(version: str = "v1", **files: bytes) -> Package:
    return Package(version, "commit", "3.2.1", "3.12", files)


def test_a_package_of_another_checkout_stops_a_deployment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "build_package", lambda: packaged(a=b"new"))
    assert "make package" in only(checks.check_package, place).sentence
    write_package(packaged(a=b"old"), place.package)
    assert only(checks.check_package, place).verdict == "blocker"
    write_package(packaged(a=b"new"), place.package)
    assert only(checks.check_package, place).verdict == "ok"


# Against local AWS

LOCAL = Settings(project="garmin-forecast", account_id="123456789012", region="us-east-1")


@pytest.fixture
def local_place(localaws: LocalAws, tmp_path: Path) -> Place:
    return Place(localaws.client, LOCAL, None, is_local=True, package=tmp_path / "dist", now=NOW)


def test_local_aws_answers_what_it_can_and_the_rest_is_named(local_place: Place) -> None:
    verdicts = {finding.name: finding.verdict for finding in checks.run_checks(local_place)}
    assert verdicts["identity"] == verdicts["region"] == verdicts["image"] == "ok"
    assert verdicts["bucket garmin-forecast-123456789012-us-east-1"] == "ok"
    assert {verdicts[name] for name in checks.CHECKS_ON_AWS} == {"skipped"}


@pytest.mark.parametrize(
    ("days", "verdict"),
    [(-1, "warning"), (10, "warning"), (200, "ok"), (None, "ok")],
    ids=["ended", "near", "far", "open"],
)
def test_tokens_near_their_end_are_named_before_they_end(local_place: Place, days: int | None, verdict: str) -> None:
    good_until = None if days is None else NOW + timedelta(days=days)
    tokens = Tokens("garminconnect", {"garmin_tokens.json": "{}"}, NOW, good_until)
    TokenStore(local_place.clients("ssm"), LOCAL.project).store("me", tokens)
    live = replace(local_place, settings=LOCAL.model_copy(update={"source": "garminconnect"}))
    finding = only(checks.check_tokens, live)
    assert (finding.name, finding.verdict) == ("Garmin tokens of me", verdict)
    assert ("make garmin-login ATHLETE=me" in finding.sentence) == (verdict == "warning")


def test_the_command_prints_a_line_each_and_fails_at_a_blocker(
    localaws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    localaws.client("s3").create_bucket(Bucket="garmin-forecast-123456789012-us-east-1")
    monkeypatch.setattr(deploy, "_client_of", lambda service, _: localaws.client(service))
    monkeypatch.setattr(checks, "build_package", lambda: packaged(a=b"x"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", localaws.url)
    write_package(packaged(a=b"x"), tmp_path / "dist")
    command = ["check", "--environment", "local", "--package", str(tmp_path / "dist")]
    assert deploy.main(command) == 1
    lines = capsys.readouterr().out.splitlines()
    (blocker,) = [line for line in lines if line.startswith("blocker")]
    assert "of this account and of no stack" in blocker
    assert lines[-1].endswith("1 would stop a deployment")
    localaws.client("s3").delete_bucket(Bucket="garmin-forecast-123456789012-us-east-1")
    assert deploy.main(command) == 0


@pytest.mark.parametrize(
    ("name", "endpoint", "words"),
    [("example", "http://127.0.0.1:4566", "unset AWS_ENDPOINT_URL"), ("local", "", "set AWS_ENDPOINT_URL")],
)
def test_an_environment_is_checked_only_where_it_belongs(
    name: str, endpoint: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert deploy.main(["check", "--environment", name]) == 1
    assert words in capsys.readouterr().err
