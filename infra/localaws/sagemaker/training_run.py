"""One training job from its inputs to its artifacts; pure of the API, which is in training.py.

The container runs `AlgorithmSpecification.ContainerEntrypoint`. Script mode, where the image's own toolkit starts the
user's script, is refused: it installs the script by pip, needs a network for that and overwrites the failure file.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.localaws.sagemaker import archives, storage
from infra.localaws.sagemaker.containers import base_environment, interpreter_for, threads_per_process
from infra.localaws.sagemaker.inputs_outputs import InputError, S3Input, download
from infra.localaws.sagemaker.job_runs import JobLog, host_names, log_signal, read_message, warn
from infra.localaws.sagemaker.opt_ml import OPT_ML, Launch
from infra.localaws.sagemaker.processes import Ended, ProcessGroup, container_exit_code
from infra.localaws.sagemaker.storage import S3Uri
from infra.localaws.sagemaker.under_role import credentials_environment
from infra.localaws.world import World

NO_ENTRYPOINT = (
    "local AWS runs training jobs by AlgorithmSpecification.ContainerEntrypoint only; "
    "script mode (sagemaker_program) and the image's own algorithm are not carried out"
)


@dataclass(frozen=True)
class TrainingEnd:
    """How a training job ended, in the API's words."""

    status: str
    secondary_status: str
    failure_reason: str | None = None


class TrainingRun:
    """The steps of one job, in the order of `run`."""

    def __init__(self, world: World, request: dict[str, Any], arn: str, scratch: Path, job_log: JobLog) -> None:
        self._world = world
        self._request = request
        self._arn = arn
        self._scratch = scratch
        self._log = job_log
        resources = request["ResourceConfig"]
        self._hosts = host_names(int(resources.get("InstanceCount", 1)))
        self._instance_type = str(resources.get("InstanceType", "ml.m5.large"))
        self._is_isolated = bool(request.get("EnableNetworkIsolation"))

    def run(
        self, processes: ProcessGroup, enter: Callable[[str], None], on_line: Callable[[str, str], None]
    ) -> TrainingEnd:
        """`enter(secondary status)` is called at every step, `on_line(host, line)` for every line of output."""
        algorithm = self._request["AlgorithmSpecification"]
        interpreter = interpreter_for(str(algorithm.get("TrainingImage", "")), self._world.config)
        if not algorithm.get("ContainerEntrypoint"):
            raise InputError(NO_ENTRYPOINT)
        enter("Downloading")
        for index, host in enumerate(self._hosts):
            self._furnish(host, index)
        enter("Training")
        warn(self._log, self._hosts, wants_isolation=self._is_isolated)
        launches = {host: self._launch(host, interpreter) for host in self._hosts}
        limit_s = float(self._request["StoppingCondition"].get("MaxRuntimeInSeconds", 86400))
        ended = processes.run(launches, on_line, limit_s)
        enter("Uploading" if ended.failed_host is None else "Stopping" if ended.stopped else "Uploading")
        self._upload(keep_model=ended.failed_host is None or ended.stopped or ended.timed_out)
        return self._judge(ended)

    def _tree(self, host: str) -> Path:
        return self._scratch / host / "opt-ml"

    def _channels(self) -> dict[str, dict[str, Any]]:
        """The content of inputdataconfig.json."""
        return {
            channel["ChannelName"]: {
                "TrainingInputMode": channel.get("InputMode", "File"),
                "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                    "S3DataDistributionType", "FullyReplicated"
                ),
                "RecordWrapperType": channel.get("RecordWrapperType", "None"),
                **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            }
            for channel in self._request.get("InputDataConfig") or []
        }

    def _resource_config(self, host: str) -> dict[str, Any]:
        """The content of resourceconfig.json."""
        group, hosts = "homogeneousCluster", list(self._hosts)
        return {
            "current_host": host,
            "current_instance_type": self._instance_type,
            "current_group_name": group,
            "hosts": hosts,
            "instance_groups": [
                {"instance_group_name": group, "instance_type": self._instance_type, "hosts": hosts},
            ],
            "network_interface_name": "eth0",
        }

    def _furnish(self, host: str, index: int) -> None:
        """The /opt/ml of one host: config files and channels."""
        tree = self._tree(host)
        for folder in ("input/config", "input/data", "model", "output/data", "output/intermediate"):
            (tree / folder).mkdir(parents=True)
        (self._scratch / host / "tmp").mkdir()
        config = {
            "hyperparameters.json": self._request.get("HyperParameters") or {},
            "inputdataconfig.json": self._channels(),
            "resourceconfig.json": self._resource_config(host),
        }
        for name, content in config.items():
            (tree / "input/config" / name).write_text(json.dumps(content))
        for channel in self._request.get("InputDataConfig") or []:
            source = S3Input.of(channel["ChannelName"], channel["DataSource"]["S3DataSource"])
            if channel.get("InputMode", "File") not in ("File", "FastFile"):
                raise InputError(f"input mode {channel['InputMode']} is not carried out by local AWS; use File")
            download(source, tree / "input/data" / source.name, index, len(self._hosts))

    def _launch(self, host: str, interpreter: Path) -> Launch:
        threads = threads_per_process(len(self._hosts))
        environment = {
            **base_environment(self._world, interpreter, self._scratch / host / "tmp", threads),
            **credentials_environment(self._world, self._request["RoleArn"], self._arn, self._is_isolated),
            "TRAINING_JOB_NAME": self._request["TrainingJobName"],
            "TRAINING_JOB_ARN": self._arn,
            **(self._request.get("Environment") or {}),
        }
        algorithm = self._request["AlgorithmSpecification"]
        command = (*algorithm["ContainerEntrypoint"], *(algorithm.get("ContainerArguments") or ()))
        return Launch(self._tree(host), command, environment, OPT_ML, self._is_isolated)

    def _judge(self, ended: Ended) -> TrainingEnd:
        if ended.timed_out:
            return TrainingEnd("Stopped", "MaxRuntimeExceeded")
        if ended.stopped:
            return TrainingEnd("Stopped", "Stopped")
        host = ended.failed_host
        if host is None:
            return TrainingEnd("Completed", "Completed")
        exit_code = ended.exit_codes[host]
        log_signal(self._log, host, exit_code)
        message = read_message(self._tree(host) / "output/failure")
        ending = f", exit code: {container_exit_code(exit_code)}"
        return TrainingEnd("Failed", "Failed", f"AlgorithmError: {message}"[: 1024 - len(ending)] + ending)

    def _upload(self, keep_model: bool) -> None:
        """model.tar.gz and output.tar.gz, of all hosts together, as SageMaker merges them."""
        target = S3Uri.parse(self._request["OutputDataConfig"]["S3OutputPath"])
        target = target.child(f"{self._request['TrainingJobName']}/output")
        parts = [("output/data", "output.tar.gz")] + ([("model", "model.tar.gz")] if keep_model else [])
        for folder, name in parts:
            merged = self._scratch / "merged" / folder
            for host in self._hosts:
                shutil.copytree(self._tree(host) / folder, merged, dirs_exist_ok=True)
            if any(merged.iterdir()):
                storage.write(target.child(name), archives.pack(merged))
