"""What SageMaker does with the role of a job or a model: it pulls the image, reads and writes S3, logs and measures."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from infra.localaws.iam.guard import Denied, acting_as
from infra.localaws.iam.needs import Need
from infra.localaws.iam.principals import Principal
from infra.localaws.iam.service import credentials_url
from infra.localaws.world import ACCOUNT_ID, World

SERVICE = "sagemaker.amazonaws.com"
METRICS_NAMESPACE = "/aws/sagemaker/TrainingJobs"
_REGISTRY = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<name>[^:@]+)")
_PULL = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")


@contextmanager
def acting_under(world: World, role_arn: str, source_arn: str, image: str) -> Iterator[Principal]:
    """Act under a role that was given to SageMaker; what is read and written meanwhile is checked against its policies.

    Raises:
        Denied: SageMaker cannot assume the role, or the role may not pull the image.
    """
    principal = world.guard.service_session(role_arn, SERVICE, "SageMaker", source_arn)
    if found := _REGISTRY.match(image):
        world.guard.require(Need("ecr:GetAuthorizationToken"), principal)
        repository = f"arn:aws:ecr:{found['region']}:{found['account']}:repository/{found['name']}"
        for action in _PULL:
            world.guard.require(Need(f"ecr:{action}", repository), principal)
    with acting_as(principal):
        yield principal


def credentials_environment(world: World, role_arn: str, source_arn: str, is_isolated: bool) -> Mapping[str, str]:
    """The variable by which SDKs in a container find its role's credentials; an isolated container gets none."""
    if is_isolated:
        return {}
    url = credentials_url(world.config, SERVICE, role_arn, source_arn)
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}


def may_log(world: World, principal: Principal, group: str, stream: str) -> bool:
    """Whether a role may write a log stream, and make it and its group; without the right lines are lost, as on AWS."""
    prefix = f"arn:aws:logs:{world.config.region}:{ACCOUNT_ID}:log-group:{group}"
    wanted = [Need("logs:CreateLogGroup", prefix), Need("logs:DescribeLogStreams", prefix)]
    wanted += [Need(f"logs:{name}", f"{prefix}:log-stream:{stream}") for name in ("CreateLogStream", "PutLogEvents")]
    with suppress(Denied):
        for need in wanted:
            world.guard.require(need, principal)
        return True
    return False


def may_measure(world: World, principal: Principal) -> bool:
    """Whether a role may put the metrics of a training job."""
    with suppress(Denied):
        world.guard.require(
            Need("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": METRICS_NAMESPACE}), principal
        )
        return True
    return False
