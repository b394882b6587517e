"""The Airflow environment on Amazon MWAA: how it is, waiting for it, its REST API, and start and stop for cost."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from include.deploy import project
from include.deploy.following import Progress, Sleep, find_stack, silent
from include.deploy.stack import StackFailed, StackResult
from include.settings import Settings
from infra.deployment.airflow_transport import AirflowAnswer, AirflowRefused, AirflowUnreachable, Query

MAX_PATH = 64
"""Characters of a path that InvokeRestApi takes. A run that is to be followed needs a short run id of its own."""
POLL_S = 30.0
TIMEOUT_S = 7200.0
AVAILABLE = "AVAILABLE"
BUSY = {
    "CREATING": "being made, which takes 20 to 30 minutes",
    "CREATING_SNAPSHOT": "saving its database before an update",
    "DELETING": "being deleted",
    "MAINTENANCE": "in its weekly maintenance",
    "PENDING": "waiting for the network endpoints that its owner makes (EndpointManagement=CUSTOMER)",
    "ROLLING_BACK": "going back to what it was before a failed update",
    "UPDATING": "being updated, which takes 10 to 30 minutes",
}
"""Statuses that pass by themselves, in words."""
FAILED = {
    "CREATE_FAILED": "was not made",
    "DELETED": "was deleted",
    "UNAVAILABLE": "is unavailable: AWS could not bring it back after a failure",
    "UPDATE_FAILED": "was not updated, and runs as before where it can",
}
"""Statuses that stay until somebody does something."""


class EnvironmentFailed(Exception):
    """The environment is not there, or ended in a status that waiting does not change; the message says which."""


@dataclass(frozen=True)
class LastUpdate:
    """The last change of an environment: `status` is SUCCESS, PENDING or FAILED, and a failure has its words."""

    status: str
    at: datetime | None
    error: str


@dataclass(frozen=True)
class ObjectVersions:
    """S3's version ids of what an environment reads when its containers start; empty for what it does without."""

    requirements: str = ""
    startup_script: str = ""
    plugins: str = ""

    def parameters(self) -> dict[str, str]:
        """The parameters of the stack `mwaa` that name them."""
        return {
            "RequirementsVersion": self.requirements,
            "StartupScriptVersion": self.startup_script,
            "PluginsVersion": self.plugins,
        }


@dataclass(frozen=True)
class MwaaEnvironment:
    """What GetEnvironment says of an environment."""

    name: str
    status: str
    airflow_version: str
    environment_class: str
    url: str
    versions: ObjectVersions
    last_update: LastUpdate | None

    @property
    def is_available(self) -> bool:
        return self.status == AVAILABLE

    @property
    def is_busy(self) -> bool:
        """Whether waiting changes the status."""
        return self.status in BUSY

    @property
    def sentence(self) -> str:
        """One line for people: status, version, class, and why the last update failed if it did."""
        words = BUSY.get(self.status) or FAILED.get(self.status)
        parts = [f"environment {self.name} is {self.status}" + (f" ({words})" if words else "")]
        parts.append(f"Airflow {self.airflow_version} on {self.environment_class}")
        if self.last_update and self.last_update.status == "FAILED":
            parts.append(f"the last update failed: {self.last_update.error}")
        return ", ".join(parts)


def environment(mwaa: Any, name: str) -> MwaaEnvironment | None:
    """The environment as it is now; None where there is none of this name."""
    try:
        found = mwaa.get_environment(Name=name)["Environment"]
    except mwaa.exceptions.ResourceNotFoundException:
        return None
    return MwaaEnvironment(
        name=found["Name"],
        status=found["Status"],
        airflow_version=found.get("AirflowVersion", ""),
        environment_class=found.get("EnvironmentClass", ""),
        url=_url(found.get("WebserverUrl", "")),
        versions=ObjectVersions(
            requirements=found.get("RequirementsS3ObjectVersion", ""),
            startup_script=found.get("StartupScriptS3ObjectVersion", ""),
            plugins=found.get("PluginsS3ObjectVersion", ""),
        ),
        last_update=_last_update(found.get("LastUpdate")),
    )


def _url(host: str) -> str:
    """GetEnvironment answers the bare name of the host; the model says that it is an address."""
    return host if not host or host.startswith("https://") else f"https://{host}"


def _last_update(found: Mapping[str, Any] | None) -> LastUpdate | None:
    if not found:
        return None
    error = found.get("Error", {})
    words = ": ".join(part for part in (error.get("ErrorCode"), error.get("ErrorMessage")) if part)
    return LastUpdate(found.get("Status", ""), found.get("CreatedAt"), words or "AWS gave no reason")


def changed_files(found: MwaaEnvironment, wanted: ObjectVersions) -> tuple[str, ...]:
    """Which files differ from those that the containers were started with; () where no update is needed.

    DAGs are not among them: Airflow reads them from the bucket by itself.
    """
    pairs = {
        "airflow/requirements.txt": (found.versions.requirements, wanted.requirements),
        "airflow/startup.sh": (found.versions.startup_script, wanted.startup_script),
        "airflow/plugins.zip": (found.versions.plugins, wanted.plugins),
    }
    return tuple(name for name, (before, after) in pairs.items() if before != after)


def wait_until_available(
    mwaa: Any,
    name: str,
    *,
    on_progress: Progress = silent,
    timeout_s: float = TIMEOUT_S,
    sleep: Sleep = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> MwaaEnvironment:
    """Wait until the environment can be used, with a line at each change and once a minute.

    Raises:
        EnvironmentFailed: there is none, it failed, or `timeout_s` passed.
    """
    started, reported, said = clock(), float("-inf"), ""
    while True:
        found = environment(mwaa, name)
        if found is None:
            raise EnvironmentFailed(f"there is no environment {name}: make deploy makes it")
        if found.is_available:
            return found
        if not found.is_busy:
            raise EnvironmentFailed(found.sentence)
        waited_s = clock() - started
        if waited_s > timeout_s:
            raise EnvironmentFailed(f"{found.sentence}; it did not become available within {timeout_s / 60:.0f} min")
        if found.status != said or waited_s - reported >= 60:
            on_progress(f"{name}: {found.status}, {BUSY[found.status]} ({waited_s / 60:.0f} min so far)")
            reported, said = waited_s, found.status
        sleep(POLL_S)


class MwaaTransport:
    """Airflow's REST API through MWAA's InvokeRestApi: AWS signs the caller in, and no network but AWS's is needed.

    A request may take 10 seconds and an answer 6 MB; that is MWAA's limit, as is the length of a path.
    """

    def __init__(self, mwaa: Any, name: str) -> None:
        self._mwaa = mwaa
        self._name = name

    def request(
        self, method: str, path: str, *, params: Query | None = None, json: Mapping[str, Any] | None = None
    ) -> AirflowAnswer:
        """See AirflowTransport. Also AirflowRefused for a path of more than 64 characters."""
        if len(path) > MAX_PATH:
            raise AirflowRefused(f"MWAA takes paths of {MAX_PATH} characters, and {path} has {len(path)}")
        request: dict[str, Any] = {"Name": self._name, "Path": path, "Method": method}
        if params:
            request["QueryParameters"] = {key: _query_value(value) for key, value in params.items()}
        if json is not None:
            request["Body"] = dict(json)
        try:
            answer = self._mwaa.invoke_rest_api(**request)
        except ClientError as error:
            return self._answer_of(error)
        except BotoCoreError as error:
            raise AirflowUnreachable(f"Amazon MWAA did not answer: {error}") from error
        return AirflowAnswer(int(answer["RestApiStatusCode"]), answer.get("RestApiResponse"))

    def _answer_of(self, error: ClientError) -> AirflowAnswer:
        """Airflow's own answer, which MWAA hands on as an error of its own; else an exception."""
        code, response = error.response["Error"]["Code"], cast("dict[str, Any]", error.response)
        if code in ("RestApiClientException", "RestApiServerException") and "RestApiStatusCode" in response:
            return AirflowAnswer(int(response["RestApiStatusCode"]), response.get("RestApiResponse"))
        message = error.response["Error"].get("Message", code)
        if code == "AccessDeniedException":
            raise AirflowRefused(
                f"{message}: whoever asks Airflow on MWAA needs airflow:InvokeRestApi on role/{self._name}/Op"
            ) from error
        if code == "ResourceNotFoundException":
            raise AirflowRefused(f"there is no environment {self._name}: make deploy makes it") from error
        if code == "ValidationException":
            raise AirflowRefused(f"Amazon MWAA refused the request: {message}") from error
        raise AirflowUnreachable(f"Amazon MWAA did not answer: {code}: {message}") from error


def _query_value(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Stopped:
    """What stopping did, in sentences for people.

    `was_running` is whether there was an environment to take away.
    """

    was_running: bool
    kept: tuple[str, ...] = (
        "the bucket with all data, models, reports, code and DAGs",
        "the feature store, the model registry, the API and its keys, the Garmin tokens",
        "the roles, the network without its NAT gateway, and Airflow's logs until they expire",
    )
    lost: tuple[str, ...] = (
        "Airflow's own database: the history of runs, connections, variables, and which DAGs are paused",
    )
    still_costs: tuple[str, ...] = (
        "storage of S3, of the feature store and of logs",
        "the endpoint, if it is of the mode instance and not stopped (Lambda {project}-stop stops it)",
    )


def stop_environment(
    clients: project.Clients,
    settings: Settings,
    *,
    on_progress: Progress = silent,
    sleep: Sleep = time.sleep,
) -> Stopped:
    """Take away what costs by the hour: environment, NAT gateway, interface endpoints. MWAA cannot be paused.

    The stack stays, with the parameters that it was given; `start_environment` makes the environment again.

    Raises:
        StackFailed: CloudFormation refused or failed.
    """
    was_running = is_running(clients("cloudformation"), settings)
    if was_running:
        project.deploy(clients, settings, "mwaa", overrides={"Running": "false"}, on_progress=on_progress, sleep=sleep)
    costs = tuple(sentence.format(project=settings.project) for sentence in Stopped.still_costs)
    return Stopped(was_running, still_costs=costs)


def start_environment(
    clients: project.Clients,
    settings: Settings,
    *,
    overrides: Mapping[str, str] | None = None,
    on_progress: Progress = silent,
    sleep: Sleep = time.sleep,
) -> StackResult:
    """Make the environment, or make it again after `stop_environment`, and wait until it is available (20 to 30 min).

    What the DAGs need once in Airflow's database (pools, unpaused DAGs) is the caller's to make afterwards.

    Args:
        overrides: parameters of the stack `mwaa`; those left out are as they were given once, else the defaults.

    Raises:
        StackFailed: CloudFormation refused or failed, or there is nothing to make again: no stack and no parameters.
        OnAwsAlone: this is local AWS.
    """
    if not overrides and find_stack(clients("cloudformation"), settings.stack("mwaa")) is None:
        raise StackFailed(f"there is no stack {settings.stack('mwaa')} to start again: make deploy makes it")
    wanted = {**(overrides or {}), "Running": "true"}
    return project.deploy(clients, settings, "mwaa", overrides=wanted, on_progress=on_progress, sleep=sleep)


def is_running(cloudformation: Any, settings: Settings) -> bool:
    """Whether the stack `mwaa` holds an environment, or may hold the rest of one that failed."""
    stack = find_stack(cloudformation, settings.stack("mwaa"))
    if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return False
    values = {item["ParameterKey"]: item.get("ParameterValue") for item in stack.get("Parameters", [])}
    settled = stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    return not (settled and values.get("Running") == "false")
