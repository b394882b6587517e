"""The laptop as home: local AWS and Airflow in the background, Airflow on a copy of the package's DAGs folder."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from include.deploy.following import Progress
from include.deploy.project import Clients
from infra.deployment.addresses import Urls
from infra.deployment.environment import Environment
from infra.deployment.failure import NotDeployed
from infra.deployment.home import Home, adopt, dags_of, write_startup_script
from infra.deployment.upload import sync_folder
from infra.laptop import airflow_home, background, ports
from infra.laptop.options import Options
from infra.laptop.supervisor import end_leftovers
from infra.package import Package

DEFAULT_PORTS = (8080, 4566)


@dataclass(frozen=True)
class LaptopChoices:
    """What the command line says of the processes; what is None is as it was the last time."""

    state: Path
    source: str | None = None
    port_airflow: int | None = None
    port_aws: int | None = None
    uses_free_ports: bool = False


class LaptopHome(Home):
    """Local AWS and Airflow as processes of this machine, which outlive the command."""

    def __init__(self, environment: Environment, choices: LaptopChoices) -> None:
        super().__init__(environment)
        self.reads_bucket = True  # nobody reads it here, but what MWAA gets is what is tried
        self._choices = choices
        self._started_here = False
        self._options = self._remembered()

    @property
    def urls(self) -> Urls:
        return Urls(self._options.airflow_url, self._options.aws_url)

    @property
    def where_logs_are(self) -> str:
        return f"{self._options.airflow_home / 'logs'} and {self._options.logs}"

    def open(self, package: Package | None, say: Progress) -> None:
        running = background.find(self._options.state)
        if running is None and package is None and not self._options.aws_state.exists():
            raise NotDeployed(f"nothing is deployed in {self._options.state}: make deploy ENV={self.environment.name}")
        if package is not None and not self._has_package():
            # Nothing is replaced by it: without a package here, no DAG of an earlier deployment runs.
            self._lay_out(package)
        if running is None:
            say("starting local AWS" + (", which a plan asks, and Airflow beside it" if package else ""))
            background.start(self._options, with_airflow=package is not None)
            self._started_here = True
        self._adopt()

    def leave(self, say: Progress) -> None:
        if self._started_here:
            background.stop(self._options.state)
            say("ended local AWS, which was started for this alone")

    def take_over(self, package: Package, say: Progress) -> None:
        plan = sync_folder(self._options.dags_folder, dags_of(package))
        if not plan.is_empty:
            say(f"Airflow's DAGs folder: {plan.text()}")
        is_new = write_startup_script(package, self.environment, self._options.startup_script)
        running = background.find(self._options.state)
        if running is None or not running.has_airflow or is_new or running.source != self._options.source:
            say("starting Airflow anew: it reads its variables when it starts")
            background.stop(self._options.state)
            background.start(self._options)
            self._started_here = True
        self._adopt()

    def before_deletion(self, clients: Clients, say: Progress) -> None:
        running = background.find(self._options.state)
        if running is not None and running.has_airflow:
            say("ending Airflow, so that no DAG runs meanwhile")
            background.stop(self._options.state)
            background.start(self._options, with_airflow=False)

    def after_deletion(self, say: Progress) -> None:
        for name in background.stop(self._options.state):
            say(f"ended {name}")

    def start(self, say: Progress) -> None:
        running = background.find(self._options.state)
        if running is not None and running.has_airflow:
            say("local AWS and Airflow run already")
            return
        background.stop(self._options.state)
        background.start(self._options)
        say("started local AWS and Airflow, with everything as it was")

    def stop(self, say: Progress) -> None:
        ended = background.stop(self._options.state) + end_leftovers(self._options.processes_file)
        say(
            f"ended {', '.join(ended)}; its state is kept in {self._options.state}" if ended else "nothing of ours runs"
        )

    def _remembered(self) -> Options:
        """The choices of the command line; where it says nothing, those of what runs, or ran last."""
        choices, last = self._choices, background.last(self._choices.state)
        running = background.find(choices.state)
        kept = last or background.Background(0, 0, "", *DEFAULT_PORTS, has_airflow=False)
        source = choices.source or kept.source or str(self.environment.settings.get("source", "synthetic"))
        if running is None and choices.uses_free_ports:
            kept = replace(kept, port_airflow=ports.free_port(), port_aws=ports.free_port())
        port_airflow, port_aws = choices.port_airflow or kept.port_airflow, choices.port_aws or kept.port_aws
        if running is not None and (port_airflow, port_aws) != (running.port_airflow, running.port_aws):
            raise NotDeployed(
                f"what is deployed in {choices.state} runs on the ports {running.port_airflow} and {running.port_aws}: "
                "`make stop` ends it, then start it with others"
            )
        return Options(source, choices.state, port_airflow, port_aws, is_packaged=True)

    def _has_package(self) -> bool:
        """Whether Airflow's DAGs folder holds a package: `make run` leaves links into the checkout there."""
        folder = self._options.dags_folder / "dags"
        return folder.is_dir() and not folder.is_symlink() and self._options.startup_script.exists()

    def _lay_out(self, package: Package) -> None:
        folder = self._options.dags_folder
        for link in folder.glob("*") if folder.exists() else ():
            if link.is_symlink():
                link.unlink()
        sync_folder(folder, dags_of(package))
        write_startup_script(package, self.environment, self._options.startup_script)

    def _adopt(self) -> None:
        own = airflow_home.own_settings(background.environment_of(self._options, os.environ))
        # The file's own values count for the plan, also while the processes still have those of the last deployment.
        adopt({**own, **self.environment.variables(), "GFF_SOURCE": self._options.source})
