"""From nothing to the first forecast: the stages of `make run`, each told, measured, and safe to do again."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from importlib.metadata import version as installed_version
from subprocess import PIPE, STDOUT, run
from typing import Any

import boto3
from botocore.exceptions import ClientError

from include import lake
from include.deploy import project
from include.garmin.document import SourceError
from include.garmin.open import is_live, open_source
from include.garmin.registry import set_default_athletes
from include.pools import POOLS
from include.serving import model_packages
from include.settings import Settings
from infra.laptop import forecasts, ports, processes
from infra.deployment.addresses import Addresses, find_addresses
from infra.deployment.airflow_api import AirflowApi, RunFailed, TaskState
from infra.laptop.options import ROOT, LaptopError, Options
from infra.deployment.progress import Progress
from infra.laptop.supervisor import Supervisor

DAGS = ("garmin_ingest", "model_build", "model_deploy")
START_TIMEOUT_S = 180
RUN_TIMEOUT_S = 3600
DEPLOYER_SESSION_S = 4 * 3600
"""The longest that the deployer's role allows: more than any first load takes."""
NEXT_RUN_TIMEOUT_S = 60
NO_TOKENS = (
    "No athlete has Garmin tokens yet: start `make run`, run `make garmin-login ATHLETE=…` beside it, and then "
    "start again with this SOURCE."
)
RECENTLY = timedelta(seconds=5)
"""Run times of the scheduler and the clock here may differ by the rounding of either."""


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

    def client(self, service: str) -> Any:
        """A boto3 client of local AWS, of the one who deploys."""
        return self._deployer.client(service, endpoint_url=self.options.aws_url)  # type: ignore[call-overload]

    def _administrator(self, service: str) -> Any:
        """A boto3 client of local AWS, of the administrator of its account."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.options.aws_url,
            region_name=self.settings.region,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - local AWS has no secrets
        )

    @cached_property
    def _deployer(self) -> boto3.Session:
        """The session of the role that deploys everything but the roles themselves."""
        role = f"arn:aws:iam::{self.settings.account_id}:role/{self.settings.project}-deployer"
        credentials = self._administrator("sts").assume_role(
            RoleArn=role, RoleSessionName="make-run", DurationSeconds=DEPLOYER_SESSION_S
        )["Credentials"]
        return boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=self.settings.region,
        )

    @cached_property
    def airflow(self) -> AirflowApi:
        return AirflowApi(self.options.airflow_url)

    @cached_property
    def athletes(self) -> list[str]:
        """Ids of the athletes of the source.

        Raises:
            LaptopError: the source cannot be read.
        """
        try:
            found = open_source(self.options.source, self.today, self.client).athletes()
        except (SourceError, OSError) as error:
            raise LaptopError(f"SOURCE={self.options.source} cannot be read: {error}") from error
        if not found and is_live(self.options.source):
            raise LaptopError(NO_TOKENS)
        if not found:
            raise LaptopError(f"SOURCE={self.options.source} holds no athlete.")
        return found

    def start(self) -> None:
        """Start every process. Airflow comes up beside local AWS and the stacks: it needs neither to start."""
        if not is_live(self.options.source):  # whose tokens local AWS keeps
            _ = self.athletes
        self.supervisor.start(processes.local_aws(self.options, self.environment))
        airflow = threading.Thread(target=self._start_airflow, name="airflow", daemon=True)
        airflow.start()
        with self.progress.stage("local AWS", str(self.supervisor.log_file("local-aws"))):
            self._wait_for_local_aws()
        self._deploy()
        airflow.join()
        if self._airflow_failure:
            raise self._airflow_failure[0]

    def bring_to_forecast(self) -> Addresses:
        """Run the chain until every athlete's forecast can be asked for; nothing is run where they already answer.

        Raises:
            RunFailed: a DAG run failed.
            LaptopError: the model was not approved.
        """
        for dag_id in DAGS:
            self._wait_for_dag(dag_id)
            self.airflow.unpause(dag_id)
        if (addresses := self._answering()) is not None:
            self.progress.say("forecasts answer already: nothing is built anew")
            return addresses
        since = datetime.now(UTC) - RECENTLY
        self._ingest()
        self._build(since)
        self._follow("model_deploy", self.airflow.first_run("model_deploy", since, NEXT_RUN_TIMEOUT_S, time.sleep))
        with self.progress.stage("first forecast"):
            if (addresses := self._answering()) is None:
                raise LaptopError("The chain ended well, but no forecast answers; see the log of Lambda in local AWS.")
        return addresses

    def delete(self) -> list[str]:
        """Delete the deployment with all its data, the roles of `access` excepted; what is left nevertheless."""
        project.delete(self.client, self.settings, with_data=True, sleep=_briefly)
        stacks = self._administrator("cloudformation").describe_stacks()["Stacks"]
        left = [
            f"stack {stack['StackName']}" for stack in stacks if stack["StackName"] != self.settings.stack("access")
        ]
        left += [f"bucket {bucket['Name']}" for bucket in self._administrator("s3").list_buckets()["Buckets"]]
        sagemaker = self._administrator("sagemaker")
        left += [
            f"feature group {g['FeatureGroupName']}" for g in sagemaker.list_feature_groups()["FeatureGroupSummaries"]
        ]
        left += [f"endpoint {endpoint['EndpointName']}" for endpoint in sagemaker.list_endpoints()["Endpoints"]]
        left += [f"model {model['ModelName']}" for model in sagemaker.list_models()["Models"]]
        functions = self._administrator("lambda").list_functions()["Functions"]
        return left + [f"function {function['FunctionName']}" for function in functions]

    def failed_tasks(self, failure: RunFailed) -> list[tuple[TaskState, list[str]]]:
        """The failed tasks of a failed run, each with the end of its log."""
        if failure.run_id is None:
            return []
        tasks = [t for t in self.airflow.tasks(failure.dag_id, failure.run_id) if t.state == "failed"]
        return [(task, self.airflow.log_tail(failure.dag_id, failure.run_id, task)) for task in tasks[:3]]

    def has_readings(self, athlete_id: str) -> bool:
        """Whether any VO2max reading of an athlete came through checks and into the tables."""
        prefix = lake.curated_prefix("vo2max", athlete_id)
        return self._holds(prefix)

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
            project.deploy(self._administrator, self.settings, "access", sleep=_briefly)
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
                self._migrate(detail)
                for component in processes.airflow_components(self.options, self.environment):
                    self.supervisor.start(component)
                self._wait_for_airflow(detail)
                for pool in POOLS:
                    self.airflow.make_pool(pool)
        except BaseException as error:  # raised again by the thread that started this one
            self._airflow_failure.append(error)

    def _migrate(self, detail: Any) -> None:
        """Make Airflow's database; once for every version of Airflow and not at every start: it takes seconds."""
        stamp = self.options.airflow_home / "database-version"
        version = installed_version("apache-airflow-core")
        if stamp.exists() and stamp.read_text() == version:
            return
        detail("making its database")
        command = [str(self.options.airflow_bin / "airflow"), "db", "migrate"]
        done = run(command, env=dict(self.environment), cwd=ROOT, stdout=PIPE, stderr=STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise LaptopError("Airflow's database could not be made:\n" + "\n".join(done.stdout.splitlines()[-15:]))
        stamp.write_text(version)

    def _wait_for_airflow(self, detail: Any) -> None:
        wanted = {"metadatabase", "scheduler", "triggerer", "dag_processor"}
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            healthy = {name for name, status in self.airflow.health().items() if status == "healthy"}
            if wanted <= healthy:
                return
            if time.monotonic() > deadline:
                waiting = ", ".join(sorted(wanted - healthy))
                raise LaptopError(f"Airflow did not come up ({waiting}); logs: {self.options.logs}")
            detail("starting its processes")
            time.sleep(0.2)

    def _wait_for_dag(self, dag_id: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.airflow.dag_is_known(dag_id):
            if errors := self.airflow.import_errors():
                file, trace = next(iter(errors.items()))
                raise LaptopError(f"{file} does not import:\n{trace.strip()}")
            if time.monotonic() > deadline:
                raise LaptopError(f"The DAG processor did not find {dag_id}; log: {self.options.logs}")
            time.sleep(0.3)

    def _answering(self) -> Addresses | None:
        """The addresses, when a forecast of one of the athletes comes."""
        found = find_addresses(self.client, self.settings, self.options.airflow_url, self.options.aws_url)
        if found is None:
            return None
        answers = (forecasts.ask(found, athlete) for athlete in self.athletes)
        return found if any(answer.status == 200 for answer in answers) else None

    def _ingest(self) -> None:
        """Load the whole history; a run that an earlier `make run` left unfinished is followed instead."""
        unfinished = [r for r in self.airflow.runs("garmin_ingest") if r["state"] in ("queued", "running")]
        run_id = unfinished[0]["dag_run_id"] if unfinished else self.airflow.trigger("garmin_ingest")
        try:
            self._follow("garmin_ingest", run_id)
        except RunFailed as failure:
            # Single athletes may fail while the others go on; what is wrong with all of them stops the chain below.
            self.progress.say(f"garmin_ingest: {failure}")
            for task, lines in self.failed_tasks(failure):
                self.progress.say(f"{task.task_id}: {lines[-1] if lines else 'no log'}")
            if not self._has_features():
                raise

    def _has_features(self) -> bool:
        return self._holds("serving/history/")

    def _holds(self, prefix: str) -> bool:
        found = self.client("s3").list_objects_v2(Bucket=self.settings.bucket, Prefix=prefix, MaxKeys=1)
        return bool(found["KeyCount"])

    def _build(self, since: datetime) -> None:
        run_id = self.airflow.first_run("model_build", since, NEXT_RUN_TIMEOUT_S, time.sleep)
        self._follow("model_build", run_id)
        package = self._newest_package()
        if package is None:
            raise LaptopError("model_build ended without registering a model package: see its run in Airflow.")
        if package["ModelApprovalStatus"] != "Approved":
            reason = package.get("ApprovalDescription", "see the log of task `gate` of model_build")
            raise LaptopError(f"The model was registered but not approved, so nothing is served: {reason}")

    def _newest_package(self) -> dict[str, Any] | None:
        sagemaker = self.client("sagemaker")
        try:
            newest = model_packages.newest(sagemaker, self.settings.model_package_group)
        except ClientError:
            return None
        if newest is None:
            return None
        return dict(sagemaker.describe_model_package(ModelPackageName=newest["ModelPackageArn"]))

    def _follow(self, dag_id: str, run_id: str) -> None:
        look = f"{self.options.airflow_url}/dags/{dag_id}"
        with self.progress.stage(dag_id, look) as detail:
            state = self.airflow.follow(dag_id, run_id, RUN_TIMEOUT_S, detail)
            if state != "success":
                raise RunFailed(f"run {run_id} ended as {state}", dag_id, run_id)


def _briefly(seconds: float) -> None:
    """Local AWS deploys in milliseconds and throttles nobody."""
    time.sleep(min(seconds, 0.1))
