"""Amazon MWAA as home: Airflow is a stack of its own, reads the bucket, and is asked through AWS's API."""

import os
from collections.abc import Callable
from functools import cached_property

from include.deploy.following import Progress
from include.deploy.project import Clients
from include.settings import names_local_aws, settings
from infra.deployment import chain, mwaa
from infra.deployment.addresses import Urls
from infra.deployment.airflow_api import AirflowApi
from infra.deployment.environment import Environment
from infra.deployment.failure import NotDeployed
from infra.deployment.home import ENDPOINT_VARIABLE, Home, adopt
from infra.package import Package

UNKNOWN_URL = "the Airflow UI (AWS console, Amazon MWAA, Open Airflow UI)"


class MwaaHome(Home):
    """An environment of Amazon MWAA in the account and region that the environment file names."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.patience = chain.ON_AWS
        self.reads_bucket = True
        self._ui = UNKNOWN_URL

    @property
    def urls(self) -> Urls:
        return Urls(self._ui, os.environ.get(ENDPOINT_VARIABLE) or None)

    @property
    def where_logs_are(self) -> str:
        return f"CloudWatch, log groups airflow-{self.environment.project}-*"

    def open(self, package: Package | None, say: Progress) -> None:
        # The file alone says what an environment is: a variable left over in a shell must not deploy elsewhere.
        for name in [name for name in os.environ if name.startswith("GFF_")]:
            del os.environ[name]
        if names_local_aws(os.environ.get(ENDPOINT_VARIABLE, "")):
            raise NotDeployed(
                f"{self.environment.name} is on Amazon MWAA, and {ENDPOINT_VARIABLE} names local AWS: unset it"
            )
        adopt(self.environment.variables())

    def airflow(self, clients: Clients) -> AirflowApi:
        return AirflowApi(mwaa.MwaaTransport(clients("mwaa"), settings().project), patience_s=300)

    def wait(self, clients: Clients, detail: Callable[[str], None]) -> None:
        if not mwaa.is_running(clients("cloudformation"), settings()):
            raise NotDeployed(
                f"everything is deployed, and Airflow is stopped: make start ENV={self.environment.name} starts it"
            )
        try:
            found = mwaa.wait_until_available(clients("mwaa"), settings().project, on_progress=detail)
        except mwaa.EnvironmentFailed as failure:
            raise NotDeployed(str(failure)) from failure
        self._ui = found.url

    def airflow_lines(self, clients: Clients) -> list[str]:
        found = mwaa.environment(clients("mwaa"), settings().project)
        return ["there is no environment"] if found is None else [found.sentence, found.url]

    def start(self, say: Progress) -> None:
        self.open(None, say)
        mwaa.start_environment(self._clients, settings(), on_progress=say)
        say(f"Airflow is there again, with a new database: make deploy ENV={self.environment.name} prepares it")

    def stop(self, say: Progress) -> None:
        self.open(None, say)
        stopped = mwaa.stop_environment(self._clients, settings(), on_progress=say)
        say("stopped" if stopped.was_running else "was stopped already")
        for title, lines in (("kept", stopped.kept), ("lost", stopped.lost), ("still costs", stopped.still_costs)):
            for line in lines:
                say(f"{title}: {line}")

    @cached_property
    def _clients(self) -> Clients:
        from infra.deployment.flow import callers_of

        callers = callers_of(self)
        return callers.deployer
