"""What differs between the places where Airflow runs."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.deploy.following import Progress, Sleep
from include.deploy.project import Clients
from include.settings import Settings, names_local_aws, settings
from infra.deployment.addresses import Urls
from infra.deployment.airflow_api import AirflowApi
from infra.deployment.airflow_http import airflow_at
from infra.deployment.chain import Patience, wait_for_airflow
from infra.deployment.environment import Environment
from infra.deployment.failure import NotDeployed
from infra.deployment.roles import local_administrator
from infra.package import Package

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL"
CREDENTIALS_VARIABLE = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
"""Where a build or a container finds the credentials of its role; others than local AWS's are never sent to it."""


class Home(ABC):
    """The place where an environment's Airflow runs, and the AWS that it works with.

    A command opens its home first; then the settings are those of the environment.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.patience = Patience()
        self.reads_bucket = False
        """Whether Airflow's DAGs folder, requirements and startup script go to the bucket."""

    @abstractmethod
    def open(self, package: Package | None, say: Progress) -> None:
        """Bring up what a plan needs, and set the environment's variables for this process.

        Args:
            package: what is to be deployed; None for a command that deploys nothing.
        """

    @property
    @abstractmethod
    def urls(self) -> Urls:
        """Where Airflow and local AWS answer this process."""

    @property
    def shown_urls(self) -> Urls:
        """Where they answer a person's browser."""
        return self.urls

    @property
    def where_logs_are(self) -> str:
        """Where a person looks when Airflow fails."""
        return self.shown_urls.airflow

    @property
    def endpoint_url(self) -> str | None:
        """Local AWS; None for AWS itself."""
        return self.urls.aws

    def airflow(self, clients: Clients) -> AirflowApi:
        """Airflow's REST API."""
        return airflow_at(self.urls.airflow)

    def session(self) -> boto3.Session:
        """The credentials of whoever runs the command; on local AWS its administrator's, or those that it hands out."""
        endpoint_url = self.endpoint_url
        has_own = endpoint_url is not None and os.environ.get(CREDENTIALS_VARIABLE, "").startswith(f"{endpoint_url}/")
        if endpoint_url is not None and names_local_aws(endpoint_url) and not has_own:
            return local_administrator(settings().region)
        return boto3.Session(region_name=settings().region)

    def sleep(self) -> Sleep:
        """How to wait for AWS: local AWS deploys in milliseconds and throttles nobody."""
        return _briefly if self.endpoint_url is not None else time.sleep

    def leave(self, say: Progress) -> None:
        """End what `open` started: the command deployed nothing."""

    def take_over(self, package: Package, say: Progress) -> None:
        """Let Airflow run the code of the package, once its stacks and its release are there."""

    def wait(self, clients: Clients, detail: Callable[[str], None]) -> None:
        """Wait until Airflow can be used.

        Raises:
            NotDeployed: it does not come up, or is stopped.
        """
        wait_for_airflow(self.airflow(clients), self.patience.health_s, self.where_logs_are, detail)

    def airflow_lines(self, clients: Clients) -> list[str]:
        """How Airflow is, in words."""
        health = self.airflow(clients).health()
        return [", ".join(f"{name} {state}" for name, state in sorted(health.items())) or "does not answer"]

    def before_deletion(self, clients: Clients, say: Progress) -> None:
        """Let no DAG run while its stacks are deleted."""

    def after_deletion(self, say: Progress) -> None:
        """End what was started for the deletion, or before it."""

    @abstractmethod
    def start(self, say: Progress) -> None:
        """Start Airflow again."""

    @abstractmethod
    def stop(self, say: Progress) -> None:
        """Stop Airflow, and what costs with it; everything that it made is kept."""

    def caller_arn(self, session: boto3.Session) -> str:
        """Who runs the command, as STS names them.

        Raises:
            NotDeployed: there are no credentials, or they are not good.
        """
        try:
            return str(session.client("sts", endpoint_url=self.endpoint_url).get_caller_identity()["Arn"])
        except (BotoCoreError, ClientError) as error:
            raise NotDeployed(
                f"AWS does not know who is asking ({error}): sign in first, e.g. `aws sso login`, and name the profile "
                "by AWS_PROFILE"
            ) from error


def adopt(variables: Mapping[str, str]) -> Settings:
    """Make `variables` those of this process, and its settings with them."""
    os.environ.update(variables)
    settings.cache_clear()
    return settings()


def dags_of(package: Package) -> dict[str, bytes]:
    """The DAGs folder of a package, by path."""
    return package.below("mwaa/dags/")


def write_startup_script(package: Package, environment: Environment, place: Path) -> bool:
    """Write the startup script of an environment to a file of this machine; whether it was another one before.

    Raises:
        NotDeployed: the package was built without the environment's file.
    """
    try:
        script = package.startup_script(environment.name)
    except KeyError:
        raise NotDeployed(
            f"the package has no startup script for {environment.name}: its environment file was not there when it was "
            "built, so build it again"
        ) from None
    if place.exists() and place.read_bytes() == script:
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(script)
    return True


def _briefly(seconds: float) -> None:
    time.sleep(min(seconds, 0.1))
