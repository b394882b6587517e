"""One processing job from its inputs to its outputs; pure of the API, which is in processing.py."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.localaws.sagemaker.containers import base_environment, interpreter_for, threads_per_process
from infra.localaws.sagemaker.inputs_outputs import InputError, S3Input, download, upload
from infra.localaws.sagemaker.job_runs import JobLog, host_names, log_signal, read_message, warn
from infra.localaws.sagemaker.opt_ml import OPT_ML, Launch, can_mount, inside, rewritten
from infra.localaws.sagemaker.processes import Ended, ProcessGroup
from infra.localaws.sagemaker.storage import S3Uri
from infra.localaws.sagemaker.under_role import credentials_environment
from infra.localaws.world import World

FAILED = "AlgorithmError: See job logs for more information"
"""All that SageMaker says of a failed container: the container's own words are in ExitMessage."""
MESSAGE_LENGTH = 1024


@dataclass(frozen=True)
class ProcessingEnd:
    """How a processing job ended, in the API's words."""

    status: str
    failure_reason: str | None = None
    exit_message: str | None = None


class ProcessingRun:
    """The steps of one job, in the order of `run`."""

    def __init__(self, world: World, request: dict[str, Any], arn: str, scratch: Path, job_log: JobLog) -> None:
        self._world = world
        self._request = request
        self._arn = arn
        self._scratch = scratch
        self._log = job_log
        self._cluster = request["ProcessingResources"]["ClusterConfig"]
        self._hosts = host_names(int(self._cluster["InstanceCount"]))
        self._is_isolated = bool((request.get("NetworkConfig") or {}).get("EnableNetworkIsolation"))

    def run(
        self, processes: ProcessGroup, started: Callable[[], None], on_line: Callable[[str, str], None]
    ) -> ProcessingEnd:
        """`started()` is called when the containers start, `on_line(host, line)` for every line of output."""
        application = self._request["AppSpecification"]
        python = interpreter_for(application["ImageUri"], self._world.config)
        if not application.get("ContainerEntrypoint"):
            raise InputError("local AWS needs AppSpecification.ContainerEntrypoint: it has no image to take one from")
        for index, host in enumerate(self._hosts):
            self._furnish(host, index)
        warn(self._log, self._hosts, wants_isolation=self._is_isolated)
        started()
        limit_s = float((self._request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", 86400))
        launches = {host: self._launch(host, python) for host in self._hosts}
        ended = processes.run(launches, on_line, limit_s)
        if ended.failed_host is None and not (ended.stopped or ended.timed_out):
            self._upload()
        return self._judge(ended)

    def _tree(self, host: str) -> Path:
        return self._scratch / host / "opt-ml"

    def _furnish(self, host: str, index: int) -> None:
        tree = self._tree(host)
        for folder in ("config", "input/config", "output", "processing"):
            (tree / folder).mkdir(parents=True)
        (self._scratch / host / "tmp").mkdir()
        resources = json.dumps({"current_host": host, "hosts": list(self._hosts)})
        job = json.dumps(self._job_config())
        for folder in ("config", "input/config"):
            (tree / folder / "resourceconfig.json").write_text(resources)
            (tree / folder / "processingjobconfig.json").write_text(job if can_mount() else rewritten(job, tree))
        for given in self._request.get("ProcessingInputs") or []:
            self._bring(given, tree, index)
        for output in self._outputs():
            inside(tree, output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)

    def _bring(self, given: dict[str, Any], tree: Path, index: int) -> None:
        if "S3Input" not in given:
            raise InputError(f"input '{given['InputName']}' is no S3 input: local AWS carries out S3 inputs only")
        source = given["S3Input"]
        if source.get("S3InputMode", "File") != "File":
            raise InputError(f"S3InputMode {source['S3InputMode']} is not carried out by local AWS; use File")
        folder = inside(tree, source["LocalPath"])
        download(S3Input.of(given["InputName"], source), folder, index, len(self._hosts))

    def _outputs(self) -> list[dict[str, Any]]:
        outputs = (self._request.get("ProcessingOutputConfig") or {}).get("Outputs") or []
        return [output for output in outputs if "S3Output" in output]

    def _job_config(self) -> dict[str, Any]:
        """The content of processingjobconfig.json: the request, with the ARN."""
        return {
            **{name: value for name, value in self._request.items() if name != "Tags"},
            "ProcessingJobArn": self._arn,
        }

    def _launch(self, host: str, python: Path) -> Launch:
        threads = threads_per_process(len(self._hosts))
        environment = {
            **base_environment(self._world, python, self._scratch / host / "tmp", threads),
            **credentials_environment(self._world, self._request["RoleArn"], self._arn, self._is_isolated),
            "PROCESSING_JOB_NAME": self._request["ProcessingJobName"],
            **(self._request.get("Environment") or {}),
        }
        application = self._request["AppSpecification"]
        command = (*application["ContainerEntrypoint"], *(application.get("ContainerArguments") or ()))
        return Launch(self._tree(host), command, environment, OPT_ML, self._is_isolated)

    def _upload(self) -> None:
        for output in self._outputs():
            target = S3Uri.parse(output["S3Output"]["S3Uri"])
            for host in self._hosts:
                upload(inside(self._tree(host), output["S3Output"]["LocalPath"]), target)

    def _judge(self, ended: Ended) -> ProcessingEnd:
        messages = [read_message(self._tree(host) / "output/message") for host in self._hosts]
        # Instances that fail for one reason say it alike, and are not heard twice.
        message = "\n".join(dict.fromkeys(filter(None, messages)))[:MESSAGE_LENGTH] or None
        if ended.timed_out or ended.stopped:
            return ProcessingEnd("Stopped", None, message)
        host = ended.failed_host
        if host is None:
            return ProcessingEnd("Completed", None, message)
        log_signal(self._log, host, ended.exit_codes[host])
        return ProcessingEnd("Failed", FAILED, message)
