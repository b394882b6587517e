"""Deploys one of the project's stacks by change set: Airflow's own operators create and delete, but never update."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.sdk import BaseOperator

from plugins.operators.aws import client
from plugins.operators.denied import FailsAtOnce

if TYPE_CHECKING:
    from airflow.sdk import Context


class StackLink(BaseAwsLink):
    """The stack in the CloudFormation console."""

    name = "CloudFormation stack"
    key = "cloudformation_stack"
    format_str = BASE_AWS_CONSOLE_LINK + "/cloudformation/home?region={region_name}#/stacks?filteringText={stack_name}"


class StackDeployOperator(FailsAtOnce, BaseOperator):
    """Create or update a stack and wait for it; a template without changes is a success.

    The template of `serving` and its parameters are those of the current release.

    Args:
        stack: `data`, `features`, `ml` or `serving`; the stack `access` is for the account's administrator.

    Returns the outputs of the stack. A stack that fails is rolled back by CloudFormation; the task fails with the
    reason of the first resource that did.
    """

    template_fields: Sequence[str] = ("stack",)
    operator_extra_links = (StackLink(),)
    ui_color = "#f6e3c5"

    def __init__(self, *, stack: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stack = stack

    def execute(self, context: "Context") -> dict[str, str]:
        from include.deploy import project
        from include.settings import settings

        StackLink.persist(
            context=context,
            operator=self,
            region_name=settings().region,
            aws_partition=settings().partition,
            stack_name=settings().stack(self.stack),
        )
        return project.deploy(client, settings(), self.stack, on_progress=self.log.info).outputs
