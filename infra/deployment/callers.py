"""The two who deploy: the caller, who must be an administrator where roles are made, and the deployer's role."""

from dataclasses import dataclass, replace
from functools import cached_property

import boto3
from botocore.exceptions import ClientError

from include.deploy.following import find_stack
from include.deploy.project import Clients
from include.settings import Settings
from infra.deployment.failure import NotDeployed
from infra.deployment.roles import MayNotAssume, as_deployer, clients_of, deployer_role_arn, is_deployer


@dataclass
class Callers:
    """Clients for each of the two.

    Args:
        arn: the caller, as STS names them.
        environment: the name of the environment, for commands in messages.
    """

    session: boto3.Session
    arn: str
    settings: Settings
    endpoint_url: str | None
    environment: str

    def require_account(self) -> None:
        """Are the credentials of the environment's account?

        Raises:
            NotDeployed: they are of another one.
        """
        account = self.arn.split(":")[4]
        if account != self.settings.account_id:
            raise NotDeployed(
                f"the credentials are of account {account} and environment {self.environment} is account "
                f"{self.settings.account_id}: nothing was changed; sign in to that one, or mend account_id in its file"
            )

    @cached_property
    def caller(self) -> Clients:
        """Makes clients with the credentials of whoever runs the command."""
        return clients_of(self.session, self.settings, self.endpoint_url)

    @property
    def is_deployer(self) -> bool:
        """Whether the caller has the deployer's role already, and so is no administrator."""
        return is_deployer(self.arn, self.settings)

    @cached_property
    def deployer(self) -> Clients:
        """Makes clients with the deployer's role.

        Raises:
            NotDeployed: the caller may not take it.
        """
        return self.caller if self.is_deployer else clients_of(self._as_role(), self.settings, self.endpoint_url)

    def as_deployer(self) -> "Callers":
        """The deployer's role as the caller, for a deployment without the roles: it asks nothing with other rights.

        Raises:
            NotDeployed: the caller may not take it.
        """
        if self.is_deployer:
            return self
        session = self._as_role()
        identity = session.client("sts", endpoint_url=self.endpoint_url).get_caller_identity()
        return replace(self, session=session, arn=identity["Arn"])

    def _as_role(self) -> boto3.Session:
        try:
            return as_deployer(self.session, self.settings, self.endpoint_url)
        except MayNotAssume as reason:
            raise NotDeployed(
                f"{self.arn} may not act as {deployer_role_arn(self.settings)} ({reason}): an administrator of the "
                f"account allows it sts:AssumeRole on that role. The role itself {self.administrators_part}"
            ) from reason

    @cached_property
    def has_roles(self) -> bool:
        """Whether the stack `access` has made the roles that everything else is deployed by.

        Raises:
            NotDeployed: the caller may not even ask.
        """
        if self.is_deployer:
            return True
        name = self.settings.stack("access")
        try:
            stack = find_stack(self.caller("cloudformation"), name)
        except ClientError as error:
            try:
                _ = self.deployer
            except NotDeployed:
                raise NotDeployed(
                    f"{self.arn} may neither look at the stack {name} nor act as the deployer's role ("
                    f"{error.response['Error']['Message']}); that role {self.administrators_part}"
                ) from error
            return True
        finished = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
        return stack is not None and stack["StackStatus"] in finished

    def forget_roles(self) -> None:
        """Look again: the stack `access` was deployed."""
        for name in ("has_roles", "deployer"):
            self.__dict__.pop(name, None)

    @property
    def administrators_part(self) -> str:
        """Who must run which command."""
        return (
            "is an administrator's of the account to make, once and after each change of the roles: "
            f"make deploy ENV={self.environment} OPTIONS=--only-access"
        )
