"""From deployed stacks and a running Airflow to the first forecast: the same for every home.

`make run`, docker compose's provisioning and `make deploy` all end here. Every stage is reported, measured, and safe to
do again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from include import lake
from include.serving import model_packages
from include.settings import Settings
from infra.deployment import forecasts
from infra.deployment.addresses import Addresses, Clients, Urls, find_addresses
from infra.deployment.airflow_api import AirflowApi, Run, RunFailed, TaskState
from infra.deployment.failure import NotDeployed
from infra.deployment.progress import Progress

DAGS = ("garmin_ingest", "model_build", "model_deploy")
"""What the chain runs. `garmin_backfill` is started by hand."""
COMPONENTS = frozenset({"metadatabase", "scheduler", "triggerer", "dag_processor"})
RECENTLY = timedelta(seconds=5)
"""Run times of the scheduler and the clock here may differ by the rounding of either."""
FAILED_TASKS_SHOWN = 3


@dataclass(frozen=True)
class Patience:
    """How long each step may take, in seconds; the defaults are those of a laptop."""

    health_s: float = 180
    dag_s: float = 180
    next_run_s: float = 60
    """From the end of a run to the start of the one that follows from it."""
    run_s: float = 3600


ON_AWS = Patience(health_s=600, dag_s=900, next_run_s=600, run_s=6 * 3600)
"""MWAA copies the DAGs folder to its containers every half minute, and an endpoint takes minutes to start."""


@dataclass
class Chain:
    """Brings one deployment to its first forecast.

    Args:
        clients: makes the boto3 client of a service, for the one who deploys.
        athletes: whose forecasts are asked for.
        urls: where Airflow and the API answer this process.
        shown_urls: the same for a person's browser.
    """

    airflow: AirflowApi
    clients: Clients
    settings: Settings
    progress: Progress
    athletes: Sequence[str]
    urls: Urls
    shown_urls: Urls
    patience: Patience = field(default_factory=Patience)

    def wait_for_dags(self) -> None:
        """Wait until the DAG processor has found the DAGs of the chain.

        Raises:
            NotDeployed: with the trace of the first file that does not import.
        """
        for dag_id in DAGS:
            self._wait_for_dag(dag_id)

    def unpause(self) -> None:
        """Let the schedule run the DAGs of the chain."""
        for dag_id in DAGS:
            self.airflow.unpause(dag_id)

    def bring_to_forecast(self) -> Addresses:
        """Run the chain until forecasts can be asked for; nothing is run where one of an athlete's already answers.

        Raises:
            RunFailed: a DAG run failed.
            NotDeployed: the model was not approved, or a run could not be followed.
        """
        if self.answers():
            self.progress.say("forecasts answer already: nothing is built anew")
            return self.addresses()
        self.unpause()
        self._run_or_follow()
        with self.progress.stage("first forecast"):
            if not self.answers():
                raise NotDeployed("The chain ended well, but no forecast answers; see the log of the API's Lambda.")
        return self.addresses()

    def _run_or_follow(self) -> None:
        """Run ingest, build and deployment; what an earlier attempt left on its way is followed from where it is."""
        since = datetime.now(UTC) - RECENTLY
        if (deploying := self._unfinished("model_deploy")) is not None:
            self._follow("model_deploy", deploying.run_id)
            return
        if (building := self._unfinished("model_build")) is not None:
            since = building.due_at
        else:
            self._ingest()
        self._build(since)
        self._follow("model_deploy", self._next_run("model_deploy", since))

    def _unfinished(self, dag_id: str) -> Run | None:
        """The newest run that has not ended."""
        return next((run for run in self.airflow.runs(dag_id) if run.is_active), None)

    def answers(self) -> bool:
        """Whether a forecast of one of the athletes comes."""
        found = find_addresses(self.clients, self.settings, self.urls)
        return found is not None and any(forecasts.ask(found, athlete).status == 200 for athlete in self.athletes)

    def addresses(self) -> Addresses:
        """The addresses for a person.

        Raises:
            NotDeployed: the serving stack is not there.
        """
        found = find_addresses(self.clients, self.settings, self.shown_urls)
        if found is None:
            raise NotDeployed(f"there is no stack {self.settings.stack('serving')}: deploy first")
        return found

    def ask_all(self, most: int | None = None) -> list[forecasts.Answer]:
        """The forecast of every athlete, or of the first `most`, over REST."""
        found = find_addresses(self.clients, self.settings, self.urls)
        return [] if found is None else [forecasts.ask(found, athlete) for athlete in self.athletes[:most]]

    def has_readings(self, athlete_id: str) -> bool:
        """Whether any VO2max reading of an athlete came through checks and into the tables."""
        return self._holds(lake.curated_prefix("vo2max", athlete_id))

    def failure_text(self, failure: RunFailed) -> str:
        """One paragraph: which DAG and task failed, and the end of its log."""
        lines = [f"{failure.dag_id} failed: {failure}."]
        for task, tail in self._failed_tasks(failure):
            where = f"task {task.task_id}" + (f" [{task.map_index}]" if task.map_index >= 0 else "")
            lines += [f"{where}, try {task.try_number}, the end of its log:", *(f"  {line}" for line in tail)]
        return "\n".join(lines)

    def _failed_tasks(self, failure: RunFailed) -> list[tuple[TaskState, list[str]]]:
        if failure.run_id is None:
            return []
        tasks = [t for t in self.airflow.tasks(failure.dag_id, failure.run_id) if t.state == "failed"]
        shown = tasks[:FAILED_TASKS_SHOWN]
        return [(task, self.airflow.log_tail(failure.dag_id, failure.run_id, task)) for task in shown]

    def _wait_for_dag(self, dag_id: str) -> None:
        deadline = time.monotonic() + self.patience.dag_s
        while not self.airflow.dag_is_known(dag_id):
            if errors := self.airflow.import_errors():
                file, trace = next(iter(errors.items()))
                raise NotDeployed(f"{file} does not import:\n{trace.strip()}")
            if time.monotonic() > deadline:
                raise NotDeployed(f"Airflow's DAG processor did not find {dag_id}: look into its log")
            time.sleep(0.3)

    def _ingest(self) -> None:
        """Load the whole history; a run that an earlier attempt left unfinished is followed instead."""
        unfinished = self._unfinished("garmin_ingest")
        run_id = unfinished.run_id if unfinished else self.airflow.trigger("garmin_ingest")
        try:
            self._follow("garmin_ingest", run_id)
        except RunFailed as failure:
            # Single athletes may fail while the others go on; what is wrong with all of them stops the chain below.
            self.progress.say(f"garmin_ingest: {failure}")
            for task, lines in self._failed_tasks(failure):
                self.progress.say(f"{task.task_id}: {lines[-1] if lines else 'no log'}")
            if not self._holds("serving/history/"):
                raise

    def _build(self, since: datetime) -> None:
        self._follow("model_build", self._next_run("model_build", since))
        package = self._newest_package()
        if package is None:
            raise NotDeployed("model_build ended without registering a model package: see its run in Airflow.")
        if package["ModelApprovalStatus"] != "Approved":
            reason = package.get("ApprovalDescription", "see the log of task `gate` of model_build")
            raise NotDeployed(f"The model was registered but not approved, so nothing is served: {reason}")

    def _newest_package(self) -> dict[str, Any] | None:
        sagemaker = self.clients("sagemaker")
        try:
            newest = model_packages.newest(sagemaker, self.settings.model_package_group)
        except ClientError:
            return None
        if newest is None:
            return None
        return dict(sagemaker.describe_model_package(ModelPackageName=newest["ModelPackageArn"]))

    def _holds(self, prefix: str) -> bool:
        found = self.clients("s3").list_objects_v2(Bucket=self.settings.bucket, Prefix=prefix, MaxKeys=1)
        return bool(found["KeyCount"])

    def _next_run(self, dag_id: str, since: datetime) -> str:
        return self.airflow.first_run(dag_id, since, self.patience.next_run_s, time.sleep)

    def _follow(self, dag_id: str, run_id: str) -> None:
        with self.progress.stage(dag_id, f"{self.shown_urls.airflow}/dags/{dag_id}") as detail:
            state = self.airflow.follow(dag_id, run_id, self.patience.run_s, detail)
            if state != "success":
                raise RunFailed(f"run {run_id} ended as {state}", dag_id, run_id)


def wait_for_airflow(airflow: AirflowApi, timeout_s: float, where_to_look: str, detail: Callable[[str], None]) -> None:
    """Wait until every component of Airflow is healthy.

    Raises:
        NotDeployed: naming those that are not.
    """
    deadline = time.monotonic() + timeout_s
    while waiting := COMPONENTS - {name for name, status in airflow.health().items() if status == "healthy"}:
        if time.monotonic() > deadline:
            raise NotDeployed(f"Airflow did not come up ({', '.join(sorted(waiting))}); look at {where_to_look}")
        detail("starting its processes")
        time.sleep(0.2)


@contextmanager
def explained(chain: Chain, where_logs_are: str) -> Iterator[None]:
    """Let a failed run be said with its task and the end of its log.

    Raises:
        NotDeployed: in place of RunFailed.
    """
    try:
        yield
    except RunFailed as failure:
        raise NotDeployed(f"{chain.failure_text(failure)}\nAll logs: {where_logs_are}") from failure
