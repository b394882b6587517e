"""The stacks of an environment as a package has them, in the order in which they are deployed."""

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from include.deploy import project
from include.deploy.feature_groups import is_kept_group
from include.deploy.following import Sleep, find_stack
from include.deploy.project import Clients
from include.settings import Settings
from infra.deployment.environment import Environment, Stack
from infra.deployment.plan import StackRequest
from infra.package import Package

FROM_HERE: tuple[Stack, ...] = ("access", "data", "features", "ml", "serving")
"""The endpoint's stack is the start Lambda's, and `delivery` has a command of its own."""


def stack_names(environment: Environment) -> tuple[Stack, ...]:
    """The stacks of an environment, in their order: MWAA comes last, since its DAGs use all others."""
    return (*FROM_HERE, "mwaa") if environment.home == "mwaa" else FROM_HERE


def is_usable(cloudformation: Any, stack: str) -> bool:
    """Whether a stack was made whole once, whatever became of changes since."""
    found = find_stack(cloudformation, stack)
    return found is not None and (found["StackStatus"] == "CREATE_COMPLETE" or "UPDATE_" in found["StackStatus"])


def stack_request(
    package: Package, environment: Environment, settings: Settings, name: Stack, more: Mapping[str, str]
) -> StackRequest:
    """One stack of the package, with the parameters of the settings, of the environment file, and `more`."""
    given = project.stack_parameters(settings, name, package.version)
    return StackRequest(
        name=name,
        stack=settings.stack(name),
        template=package.template(name),
        parameters={**given, **environment.parameters(name), **more},
        role_arn=project.service_role_arn(settings, name),
        tags=project.stack_tags(settings, name),
    )


def has_broken_group(clients: Clients, settings: Settings) -> bool:
    """Whether an earlier deployment left a feature group that can only be deleted."""
    sagemaker = clients("sagemaker")
    try:
        status = sagemaker.describe_feature_group(FeatureGroupName=settings.feature_group)["FeatureGroupStatus"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ResourceNotFound", "ResourceNotFoundException"):
            return False
        raise
    return bool(status != "Created")


def feature_group_parameter(clients: Clients, settings: Settings, sleep: Sleep = time.sleep) -> dict[str, str]:
    """Whether the stack `features` finds its group already, as a parameter."""
    return {"FeatureGroupExists": str(is_kept_group(clients, settings, sleep)).lower()}
