"""The processes of `make run`, from nothing to a healthy Airflow beside local AWS with its stacks."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from include.deploy import project
from include.deploy.project import Clients
from include.garmin.open import is_live
from include.garmin.registry import set_default_athletes
from include.pools import POOLS
from include.settings import Settings
from infra.deployment.addresses import Addresses, Urls
from infra.deployment.airflow_api import AirflowApi
from infra.deployment.airflow_http import airflow_at
from infra.deployment.athletes import athletes_of
from infra.deployment.chain import Chain, wait_for_airflow
from infra.deployment.progress import Progress
from infra.deployment.roles import as_deployer, clients_of, local_administrator
from infra.laptop import airflow_database, keys, ports, processes
from infra.laptop.options import LaptopError, Options
from infra.laptop.supervisor import Supervisor

START_TIMEOUT_S = 180
NO_TOKENS = (
    "No athlete has Garmin tokens yet: start `make run`, run `make garmin-login ATHLETE=…` beside it, and then "
    "start again with this SOURCE."
)


@dataclass
class Deployment:
    """Starts the processes of one laptop deployment and brings it to its first forecast."""

    options: Options
    environment: Mapping[str, str]
    settings: Settings
    supervisor: Supervisor
    progress: Progress
    today: date
    _airflow_failure: list[BaseException] = field(default_factory=list)

    @cached_property
    def client(self) -> Clients:
        """Makes boto3 clients of local AWS, for the one who deploys."""
        session = as_deployer(local_administrator(self.settings.region), self.settings, self.options.aws_url)
        return clients_of(session, self.settings, self.options.aws_url)

    @cached_property
    def administrator(self) -> Clients:
        """Makes boto3 clients of local AWS, for the administrator of its account."""
        return clients_of(local_administrator(self.settings.region), self.settings, self.options.aws_url)

    @cached_property
    def airflow(self) -> AirflowApi:
        """The REST API of the Airflow that is started here."""
        return airflow_at(self.options.airflow_url)

    @cached_property
    def athletes(self) -> list[str]:
        """Ids of the athletes of the source.

        Raises:
            NotDeployed: the source cannot be read, or holds nobody.
        """
        found = athletes_of(self.options.source, self.today, self._client_when_asked)
        if not found:
            raise LaptopError(NO_TOKENS)
        return found

    @cached_property
    def chain(self) -> Chain:
        """What follows once everything runs."""
        urls = Urls(self.options.airflow_url, self.options.aws_url)
        return Chain(self.airflow, self.client, self.settings, self.progress, self.athletes, urls, urls)

    def start(self) -> None:
        """Start every process. Airflow comes up beside local AWS and the stacks: it needs neither to start."""
        if not is_live(self.options.source):  # whose tokens local AWS keeps
            _ = self.athletes
        self.supervisor.start(processes.local_aws(self.options, self.environment))
        airflow = threading.Thread(target=self._start_airflow, name="airflow", daemon=True)
        asks_first = self.options.source == keys.SOURCE
        if not asks_first:
            airflow.start()
        with self.progress.stage("local AWS", str(self.supervisor.log_file("local-aws"))):
            self._wait_for_local_aws()
        if asks_first:  # while nothing else writes to the terminal
            keys.require_key(self.administrator("ssm"), self.settings.project)
            airflow.start()
        self._deploy()
        airflow.join()
        if self._airflow_failure:
            raise self._airflow_failure[0]

    def bring_to_forecast(self) -> Addresses:
        """Run the chain until forecasts can be asked for.

        Raises:
            RunFailed: a DAG run failed.
            NotDeployed: the model was not approved.
        """
        self.chain.wait_for_dags()
        self.chain.unpause()
        return self.chain.bring_to_forecast()

    def delete(self) -> list[str]:
        """Delete the deployment with all its data, the roles of `access` excepted; what is left nevertheless."""
        project.delete(self.client, self.settings, with_data=True, sleep=_briefly)
        stacks = self.administrator("cloudformation").describe_stacks()["Stacks"]
        left = [
            f"stack {stack['StackName']}" for stack in stacks if stack["StackName"] != self.settings.stack("access")
        ]
        left += [f"bucket {bucket['Name']}" for bucket in self.administrator("s3").list_buckets()["Buckets"]]
        sagemaker = self.administrator("sagemaker")
        left += [
            f"feature group {g['FeatureGroupName']}" for g in sagemaker.list_feature_groups()["FeatureGroupSummaries"]
        ]
        left += [f"endpoint {endpoint['EndpointName']}" for endpoint in sagemaker.list_endpoints()["Endpoints"]]
        left += [f"model {model['ModelName']}" for model in sagemaker.list_models()["Models"]]
        functions = self.administrator("lambda").list_functions()["Functions"]
        return left + [f"function {function['FunctionName']}" for function in functions]

    def _client_when_asked(self, service: str) -> Any:
        """Most sources are read before local AWS runs, and ask for no client."""
        return self.client(service)

    def _wait_for_local_aws(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ports.answers(self.options.port_aws):
            if time.monotonic() > deadline:
                raise LaptopError(f"Local AWS did not start; its log: {self.supervisor.log_file('local-aws')}")
            time.sleep(0.05)

    def _deploy(self) -> None:
        """Stacks and release: those that did not change are left alone."""
        with self.progress.stage("stacks and release") as detail:
            detail("access")
            project.deploy(self.administrator, self.settings, "access", sleep=_briefly)
            for name in ("data", "ml", "features"):
                detail(name)
                project.deploy(self.client, self.settings, name, sleep=_briefly)
                if name == "data":
                    detail("release")
                    project.release(self.client, self.settings)
            set_default_athletes(self.client("s3"), self.settings.bucket, self.athletes)

    def _start_airflow(self) -> None:
        try:
            with self.progress.stage("Airflow", str(self.options.logs)) as detail:
                detail("making its database")
                airflow_database.make_database(self.options, self.environment)
                processes.start_airflow(self.supervisor, self.options, self.environment)
                wait_for_airflow(self.airflow, START_TIMEOUT_S, str(self.options.logs), detail)
                for pool in POOLS:
                    self.airflow.make_pool(pool)
        except BaseException as error:  # raised again by the thread that started this one
            self._airflow_failure.append(error)


def _briefly(seconds: float) -> None:
    """Local AWS deploys in milliseconds and throttles nobody."""
    time.sleep(min(seconds, 0.1))
