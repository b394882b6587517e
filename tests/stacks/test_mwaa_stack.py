"""The stack of Airflow on Amazon MWAA: what is there with which parameters, and who may make it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import airflow
import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator
from cfnlint.helpers import REGIONS
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER as SCHEMAS

from include.deploy import project
from include.settings import Settings
from infra import deploy
from infra.access.grants import grants
from tests.localaws.conftest import LocalAws
from tests.stacks.rendered import Rendered
from tests.stacks.templates import template
from tests.stacks.test_access import granted, schemas

ENVIRONMENT = "AWS::MWAA::Environment"
SETTINGS = Settings(project="garmin-forecast", account_id="111122223333", region="eu-west-1")
EXISTING = {"Network": "existing", "VpcId": "vpc-0abcdef0", "SubnetIds": "subnet-0a,subnet-0b"}
BY_THE_HOUR = {ENVIRONMENT, "AWS::EC2::NatGateway", "AWS::EC2::EIP"}


def rendered(**parameters: str | int) -> Rendered:
    return Rendered(template("mwaa"), **project.stack_parameters(SETTINGS, "mwaa"), **parameters)


def environment(**parameters: str | int) -> dict[str, Any]:
    return dict(rendered(**parameters).resources["Environment"]["Properties"])


def interface_services(found: Rendered) -> set[str]:
    return {
        r["Properties"]["ServiceName"].removeprefix("com.amazonaws.eu-west-1.")
        for r in found.resources.values()
        if r["Type"] == "AWS::EC2::VPCEndpoint" and r["Properties"]["VpcEndpointType"] == "Interface"
    }


def test_one_nat_gateway_in_a_public_subnet_leads_both_private_subnets_out() -> None:
    found = rendered()
    resources = found.resources
    assert sum(r["Type"] == "AWS::EC2::NatGateway" for r in resources.values()) == 1
    assert resources["NatGateway"]["Properties"]["SubnetId"] == {"resource": "PublicSubnet"}
    assert resources["PublicWayOut"]["Properties"]["GatewayId"] == {"resource": "InternetGateway"}
    assert resources["PrivateWayOut"]["Properties"]["NatGatewayId"] == {"resource": "NatGateway"}
    routes = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::EC2::SubnetRouteTableAssociation"]
    by_subnet = {r["SubnetId"]["resource"]: r["RouteTableId"]["resource"] for r in routes}
    assert by_subnet == {
        "PrivateSubnetOne": "PrivateRoutes",
        "PrivateSubnetTwo": "PrivateRoutes",
        "PublicSubnet": "PublicRoutes",
    }
    private = [resources[name]["Properties"] for name in ("PrivateSubnetOne", "PrivateSubnetTwo")]
    assert len({p["AvailabilityZone"] for p in private}) == 2
    blocks = {r["Properties"]["CidrBlock"] for r in resources.values() if r["Type"] == "AWS::EC2::Subnet"}
    assert blocks == {"10.38.0.0/24", "10.38.1.0/24", "10.38.2.0/24"}
    assert not interface_services(found)


def test_without_the_internet_every_service_that_is_asked_has_its_endpoint() -> None:
    found = rendered(Network="endpoints")
    asked_by_mwaa = {
        "monitoring", "ecr.dkr", "ecr.api", "logs", "sqs", "kms", "airflow.api", "airflow.env", "airflow.ops",
    }  # fmt: skip
    asked_by_dags = {"sagemaker.api", "sagemaker.featurestore-runtime", "ssm", "cloudformation", "events"}
    assert interface_services(found) == asked_by_mwaa | asked_by_dags
    assert found.resources["S3Endpoint"]["Properties"]["VpcEndpointType"] == "Gateway"
    assert not found.types() & {"AWS::EC2::NatGateway", "AWS::EC2::InternetGateway", "AWS::EC2::EIP"}
    assert "airflow.ops" not in interface_services(rendered(Network="endpoints", OpsEndpoint="false"))


def test_an_existing_network_is_used_as_it_is() -> None:
    found = rendered(**EXISTING, SecurityGroupIds="sg-0a,sg-0b")
    network = found.resources["Environment"]["Properties"]["NetworkConfiguration"]
    assert network == {"SubnetIds": ["subnet-0a", "subnet-0b"], "SecurityGroupIds": ["sg-0a", "sg-0b"]}
    assert not {kind for kind in found.types() if kind.startswith("AWS::EC2::")}
    made = rendered(**EXISTING)
    assert made.resources["SecurityGroup"]["Properties"]["VpcId"] == "vpc-0abcdef0"


def test_whoever_lets_in_its_own_security_group_lets_in_nobody_else() -> None:
    rules = [r["Properties"] for r in rendered().resources.values() if r["Type"] == "AWS::EC2::SecurityGroupIngress"]
    assert [(r["GroupId"], r["SourceSecurityGroupId"]) for r in rules] == [({"resource": "SecurityGroup"},) * 2]


@pytest.mark.parametrize("network", [{}, {"Network": "endpoints"}, EXISTING], ids=["nat", "endpoints", "existing"])
def test_a_stopped_stack_holds_nothing_that_is_paid_by_the_hour(network: Mapping[str, str]) -> None:
    running, stopped = rendered(**network), rendered(**network, Running="false")
    assert not stopped.types() & BY_THE_HOUR
    assert not interface_services(stopped)
    assert {r["Properties"]["LogGroupName"] for r in stopped.resources.values() if "LogGroup" in r["Type"]} == {
        r["Properties"]["LogGroupName"] for r in running.resources.values() if "LogGroup" in r["Type"]
    }
    assert set(stopped.outputs) == set(running.outputs) - {"EnvironmentArn", "WebserverUrl"}


def test_the_environment_starts_when_its_network_is_there() -> None:
    for parameters in ({}, {"Network": "endpoints"}, EXISTING):
        found = rendered(**parameters)
        waits = set(re.findall(r"'resource': '(\w+)'", str(found.resources["NetworkIsReady"]["Metadata"])))
        kinds = ("VPCEndpoint", "Route", "SubnetRouteTableAssociation", "SecurityGroupIngress")
        needed = {n for n, r in found.resources.items() if r["Type"].removeprefix("AWS::EC2::") in kinds}
        assert waits == {n for n in needed if not n.startswith("Public")}
        assert "NetworkIsReady" in found.resources["Environment"]["DependsOn"]


def test_mwaa_finds_its_log_groups_and_makes_none_that_never_expires() -> None:
    found = rendered()
    groups = {n: r["Properties"] for n, r in found.resources.items() if r["Type"] == "AWS::Logs::LogGroup"}
    assert {g["LogGroupName"] for g in groups.values()} == {
        f"airflow-garmin-forecast-{name}" for name in ("DAGProcessing", "Scheduler", "Task", "WebServer", "Worker")
    }
    assert all(group["RetentionInDays"] == 30 for group in groups.values())
    assert set(groups) <= set(found.resources["Environment"]["DependsOn"])
    logging = found.resources["Environment"]["Properties"]["LoggingConfiguration"]
    assert set(logging) == set(groups)
    assert all(kind["Enabled"] for kind in logging.values())


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"EnvironmentClass": "mw1.micro"},
        {"EnvironmentClass": "mw1.medium", "MaxWorkers": 5, "Schedulers": 3, "MinWebservers": 3, "MaxWebservers": 4},
        {**EXISTING, "SecurityGroupIds": "sg-0a"},
        {"RequirementsVersion": "v1", "StartupScriptVersion": "v2", "PluginsVersion": "v3"},
        {"KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012"},
    ],
    ids=["default", "micro", "medium", "existing", "files", "key"],
)
def test_mwaa_takes_what_the_stack_asks_for(parameters: Mapping[str, Any]) -> None:
    """Against botocore's model of CreateEnvironment: names, types, ranges and patterns."""
    model = botocore.session.get_session().get_service_model("mwaa").operation_model("CreateEnvironment")
    request = with_ids(environment(**parameters))
    report = ParamValidator().validate(request, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    assert not list(broken_patterns(request, model.input_shape))


def with_ids(value: Any) -> Any:
    """The request with ids in place of resources that CloudFormation has yet to make."""
    if isinstance(value, dict) and set(value) == {"resource"}:
        return ("sg-" if "Group" in value["resource"] else "subnet-") + value["resource"].lower()
    if isinstance(value, dict):
        return {key: with_ids(item) for key, item in value.items()}
    return [with_ids(item) for item in value] if isinstance(value, list) else value


def broken_patterns(value: Any, shape: Any) -> Iterator[str]:
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                yield from broken_patterns(value[name], member)
    elif shape.type_name == "list":
        for item in value:
            yield from broken_patterns(item, shape.member)
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from broken_patterns(key, shape.key)
            yield from broken_patterns(item, shape.value)
    elif shape.type_name == "string":
        # The model writes some patterns in Java's way.
        pattern = shape.metadata.get("pattern", ".*").replace(r"\p{L}\p{Z}\p{N}", r"\w\s")
        if not re.fullmatch(pattern, value):
            yield f"{shape.name}: {value}"


def test_files_are_named_only_with_their_versions() -> None:
    bare, full = environment(), environment(RequirementsVersion="v1", StartupScriptVersion="v2")
    assert bare["DagS3Path"] == "airflow/dags"
    assert not {name for name in bare if name.startswith(("Requirements", "StartupScript", "Plugins"))}
    assert (full["RequirementsS3Path"], full["RequirementsS3ObjectVersion"]) == ("airflow/requirements.txt", "v1")
    assert (full["StartupScriptS3Path"], full["StartupScriptS3ObjectVersion"]) == ("airflow/startup.sh", "v2")


@pytest.mark.parametrize("size", template("mwaa")["Parameters"]["EnvironmentClass"]["AllowedValues"])
def test_each_class_has_as_much_of_everything_as_it_allows(size: str) -> None:
    found = environment(EnvironmentClass=size)
    least = 1 if size == "mw1.micro" else 2
    assert (found["Schedulers"], found["MinWebservers"], found["MaxWebservers"]) == (least, least, least)
    assert found["MaxWorkers"] == (1 if size == "mw1.micro" else 3)
    assert rendered(EnvironmentClass=size).refusals() == []


GIB = 1024
MEMORY_MIB = {
    "mw1.micro": 3 * GIB,
    "mw1.small": 2 * GIB,
    "mw1.medium": 4 * GIB,
    "mw1.large": 8 * GIB,
    "mw1.xlarge": 24 * GIB,
    "mw1.2xlarge": 48 * GIB,
}
TASK_MIB = 530
"""`ingest_batch` of 25 athletes with five years each, measured."""


@pytest.mark.parametrize("size", sorted(MEMORY_MIB))
def test_a_worker_holds_as_many_tasks_as_its_memory_does(size: str) -> None:
    tasks = int(
        environment(EnvironmentClass=size)["AirflowConfigurationOptions"]["celery.worker_autoscale"].split(",")[0]
    )
    # On mw1.micro the one container also runs scheduler, DAG processor and triggerer.
    own_mib = 2000 if size == "mw1.micro" else 600
    assert tasks * TASK_MIB + own_mib <= MEMORY_MIB[size]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"EnvironmentClass": "mw1.micro", "MaxWorkers": 2}, "MaxWorkers"),
        ({"EnvironmentClass": "mw1.micro", "Schedulers": 2}, "Schedulers"),
        ({"EnvironmentClass": "mw1.micro", "MinWebservers": 2}, "MinWebservers"),
        ({"Schedulers": 1}, "2 to 5 schedulers"),
        ({"Network": "existing", "SubnetIds": "subnet-0a,subnet-0b"}, "VpcId"),
        ({"Network": "existing", "VpcId": "vpc-0abcdef0"}, "SubnetIds"),
    ],
)
def test_what_mwaa_would_refuse_after_half_an_hour_the_rules_refuse_at_once(
    parameters: Mapping[str, Any], words: str
) -> None:
    refusals = rendered(**parameters).refusals()
    assert len(refusals) == 1
    assert words in refusals[0]


def test_airflow_knows_the_options_that_are_set() -> None:
    options = environment()["AirflowConfigurationOptions"]
    folder = Path(airflow.__file__).parent
    known = yaml.safe_load((folder / "config_templates/config.yml").read_text())
    celery = folder / "providers/celery"
    assert not celery.exists() or "worker_autoscale" in (celery / "get_provider_info.py").read_text()
    for name in options:
        section, _, option = name.partition(".")
        assert section == "celery" or option in known[section]["options"], name
    pattern = schemas()[ENVIRONMENT]["definitions"]["ConfigKey"]["pattern"]
    assert all(re.fullmatch(pattern, name) for name in options)


def test_the_types_are_there_wherever_mwaa_is() -> None:
    types = {r["Type"] for r in template("mwaa")["Resources"].values()}
    with_mwaa = [region for region in REGIONS if ENVIRONMENT in SCHEMAS.get_resource_types(region)]
    assert len(with_mwaa) > 20
    for region in with_mwaa:
        assert not types - set(SCHEMAS.get_resource_types(region)), region


# Who may do it

NOT_FOR_US = (
    # Properties that the template does not set
    "ec2:AcceptAddressTransfer", "ec2:AssociateAddress", "ec2:DisassociateAddress", "ec2:AssociateNatGatewayAddress",
    "ec2:DisassociateNatGatewayAddress", "ec2:AssignPrivateNatGatewayAddress", "ec2:UnassignPrivateNatGatewayAddress",
    "ec2:AssociateSubnetCidrBlock", "ec2:DisassociateSubnetCidrBlock", "ec2:AttachVpnGateway", "ec2:DetachVpnGateway",
    "ec2:CreateVpcEncryptionControl", "ec2:ModifyVpcTenancy", "ec2:ReplaceRouteTableAssociation", "vpc-lattice:", "vpce:",
    "logs:PutDataProtectionPolicy", "logs:DeleteDataProtectionPolicy", "logs:CreateLogDelivery", "s3:REST.", "firehose:",
    "logs:PutResourcePolicy", "logs:DeleteResourcePolicy", "logs:PutIndexPolicy", "logs:DeleteIndexPolicy",
    "logs:PutBearerTokenAuthentication", "logs:PutLogGroupDeletionProtection",
    # What AWS's console does for those who let it make bucket and role
    "iam:ListRoles", "iam:CreatePolicy", "s3:ListAllMyBuckets", "s3:CreateBucket", "s3:PutObject", "kms:ListAliases",
)  # fmt: skip


def test_cloudformation_may_do_whatever_the_handlers_of_the_stack_do() -> None:
    """The registry's schemas say what each handler asks of the role that it runs under."""
    own, missing = granted("stacks"), set()
    for kind in {r["Type"] for r in template("mwaa")["Resources"].values()}:
        for name, handler in schemas().get(kind, {}).get("handlers", {}).items():
            if name != "list":
                missing |= {
                    (kind, action)
                    for action in handler.get("permissions", [])
                    if action.lower() not in own and not action.startswith(NOT_FOR_US)
                }
    assert not missing


def test_what_carries_no_tag_of_the_project_is_not_deleted() -> None:
    deletions = [
        g for g in grants() if g.role == "stacks" and re.match(r"ec2:(Delete|Release|Detach|Disassociate)", g.action)
    ]
    assert len(deletions) > 8
    assert {g.condition for g in deletions} == {"aws:ResourceTag/project ${Project}"}
    for parameters in ({}, {"Network": "endpoints"}):
        for name, resource in rendered(**parameters).resources.items():
            tagging = schemas().get(resource["Type"], {}).get("tagging", {})
            if resource["Type"].startswith("AWS::EC2::") and tagging.get("taggable"):
                tags = resource["Properties"].get("Tags", [])
                assert {"Key": "project", "Value": "garmin-forecast"} in tags, name


def test_the_execution_role_may_do_what_mwaa_does_under_it() -> None:
    needed = {
        "airflow:publishmetrics", "s3:getobject", "s3:listbucket", "s3:getbucketpublicaccessblock",
        "s3:getaccountpublicaccessblock", "logs:createlogstream", "logs:createloggroup", "logs:putlogevents",
        "logs:getlogevents", "logs:getlogrecord", "logs:getloggroupfields", "logs:getqueryresults",
        "logs:describeloggroups", "cloudwatch:putmetricdata", "sqs:changemessagevisibility", "sqs:deletemessage",
        "sqs:getqueueattributes", "sqs:getqueueurl", "sqs:receivemessage", "sqs:sendmessage",
        "kms:decrypt", "kms:describekey", "kms:encrypt", "kms:generatedatakey",
    }  # fmt: skip
    assert needed <= granted("tasks")
    queue = next(g for g in grants() if g.role == "tasks" and g.action == "sqs:SendMessage")
    assert queue.resources == ("sqs:${AWS::Region}:*:airflow-celery-*",)
    assert environment()["ExecutionRoleArn"] == "arn:aws:iam::111122223333:role/garmin-forecast-tasks"


# As a step


def test_local_aws_refuses_the_stack_in_a_sentence(localaws: LocalAws) -> None:
    with pytest.raises(project.OnAwsAlone, match="local AWS has no Amazon MWAA") as refused:
        project.deploy(localaws.client, SETTINGS, "mwaa")
    assert "make run" in str(refused.value)
    assert "mwaa" not in deploy.STEPS


def test_the_stack_has_as_long_as_mwaa_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    clients = Mock()
    clients.return_value.meta.endpoint_url = "https://cloudformation.eu-west-1.amazonaws.com"
    monkeypatch.setattr(project, "deploy_stack", lambda *_args, **arguments: given.update(arguments) or Mock())
    project.deploy(clients, SETTINGS, "mwaa")
    assert given["timeout_s"] >= 3600
    project.deploy(clients, SETTINGS, "data")
    assert given["timeout_s"] == 1800


def test_airflow_goes_before_all_that_its_dags_write_to() -> None:
    order = project.DELETE_ORDER
    written_to = {"endpoint", "serving", "ml", "features", "data", "access"}
    assert set(order[order.index("mwaa") + 1 :]) == written_to


def test_the_stack_is_deleted_with_as_long_as_mwaa_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: dict[str, float] = {}

    def record(_client: Any, name: str, **arguments: Any) -> bool:
        timeouts[name.removeprefix("garmin-forecast-")] = arguments["timeout_s"]
        return False

    monkeypatch.setattr(project, "delete_stack", record)
    for name in ("find_stack", "delete_feature_groups", "empty_bucket"):
        monkeypatch.setattr(project, name, Mock())
    monkeypatch.setattr(project, "leftovers", Mock())
    project.delete(Mock(), SETTINGS)
    assert timeouts["mwaa"] > 3600
    assert timeouts["serving"] == 1800
