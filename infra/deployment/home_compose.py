"""docker compose as home: Airflow and local AWS are up in containers of their own when a command comes."""

import os

from include.deploy.following import Progress
from include.deploy.project import Clients
from infra.deployment.addresses import Urls
from infra.deployment.chain import DAGS, ON_AWS
from infra.deployment.environment import Environment
from infra.deployment.failure import NotDeployed
from infra.deployment.home import ENDPOINT_VARIABLE, Home, adopt
from infra.package import Package

AIRFLOW_VARIABLE = "GFF_AIRFLOW_URL"
AIRFLOW_SHOWN_VARIABLE = "GFF_AIRFLOW_URL_SHOWN"
AWS_SHOWN_VARIABLE = "GFF_AWS_URL_SHOWN"
NOT_FROM_HERE = "containers are docker compose's to {0}: docker compose {0}"


class ComposeHome(Home):
    """Containers that run already; without AWS_ENDPOINT_URL they work with AWS itself."""

    def __init__(self, environment: Environment, airflow_url_shown: str | None, aws_url_shown: str | None) -> None:
        super().__init__(environment)
        self._airflow_url_shown = airflow_url_shown or os.environ.get(AIRFLOW_SHOWN_VARIABLE)
        self._aws_url_shown = aws_url_shown or os.environ.get(AWS_SHOWN_VARIABLE)

    @property
    def urls(self) -> Urls:
        airflow = os.environ.get(AIRFLOW_VARIABLE)
        if not airflow:
            raise NotDeployed(f"{AIRFLOW_VARIABLE} is not set: it is where Airflow's API server answers")
        return Urls(airflow.rstrip("/"), os.environ.get(ENDPOINT_VARIABLE) or None)

    @property
    def shown_urls(self) -> Urls:
        inside = self.urls
        shown_aws = self._aws_url_shown or inside.aws
        return Urls(self._airflow_url_shown or inside.airflow, shown_aws if inside.aws else None)

    @property
    def where_logs_are(self) -> str:
        return "docker compose logs"

    def open(self, package: Package | None, say: Progress) -> None:
        # The variables of the containers (.env) choose account, region and source: they win over the file.
        own = {name: value for name, value in os.environ.items() if name.startswith("GFF_") and value}
        adopt(self.environment.variables() | own)
        if self.urls.aws is None:
            self.patience = ON_AWS

    def before_deletion(self, clients: Clients, say: Progress) -> None:
        airflow = self.airflow(clients)
        for dag_id in (*DAGS, "garmin_backfill"):
            airflow.pause(dag_id)
        say("paused the DAGs, so that none runs meanwhile")

    def start(self, say: Progress) -> None:
        raise NotDeployed(NOT_FROM_HERE.format("start"))

    def stop(self, say: Progress) -> None:
        raise NotDeployed(NOT_FROM_HERE.format("stop"))
