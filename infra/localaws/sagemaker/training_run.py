"""One training job from its inputs to its artifacts; pure of the API, which is in training.py."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.localaws.sagemaker import archives, script_mode, storage
from infra.localaws.sagemaker.containers import base_environment, interpreter_for, threads_per_process
from infra.localaws.sagemaker.inputs_outputs import InputError, S3Input, download
from infra.localaws.sagemaker.job_runs import JobLog, host_names, read_message, warn_without_mounts
from infra.localaws.sagemaker.opt_ml import Launch
from infra.localaws.sagemaker.processes import Ended, ProcessGroup, container_exit_code, describe_exit
from infra.localaws.sagemaker.storage import S3Uri
from infra.localaws.world import World


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
        self._hyperparameters = script_mode.decoded(request.get("HyperParameters") or {})

    def run(
        self, processes: ProcessGroup, enter: Callable[[str], None], on_line: Callable[[str, str], None]
    ) -> TrainingEnd:
        """`enter(secondary status)` is called at every step, `on_line(host, line)` for every line of output."""
        image = str(self._request["AlgorithmSpecification"].get("TrainingImage", ""))
        python = interpreter_for(image, self._world.config)
        enter("Downloading")
        for index, host in enumerate(self._hosts):
            self._furnish(host, index)
        enter("Training")
        warn_without_mounts(self._log, self._hosts)
        launches = {host: self._launch(host, python) for host in self._hosts}
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

    def _host(self, host: str) -> script_mode.Host:
        return script_mode.Host(host, self._hosts, self._instance_type)

    def _furnish(self, host: str, index: int) -> None:
        """The /opt/ml of one host: config files, channels, code."""
        tree = self._tree(host)
        for folder in ("input/config", "input/data", "model", "output/data", "output/intermediate", "code"):
            (tree / folder).mkdir(parents=True)
        (self._scratch / host / "tmp").mkdir()
        config = {
            "hyperparameters.json": self._request.get("HyperParameters") or {},
            "inputdataconfig.json": self._channels(),
            "resourceconfig.json": self._host(host).resource_config,
        }
        for name, content in config.items():
            (tree / "input/config" / name).write_text(json.dumps(content))
        for channel in self._request.get("InputDataConfig") or []:
            source = S3Input.of(channel["ChannelName"], channel["DataSource"]["S3DataSource"])
            if channel.get("InputMode", "File") not in ("File", "FastFile"):
                raise InputError(f"input mode {channel['InputMode']} is not carried out by local AWS; use File")
            download(source, tree / "input/data" / source.name, index, len(self._hosts))
        self._unpack_code(tree / "code")

    def _unpack_code(self, folder: Path) -> None:
        uri = self._hyperparameters.get(script_mode.SUBMIT_DIRECTORY)
        if not self._hyperparameters.get(script_mode.PROGRAM):
            raise InputError(
                "local AWS runs the XGBoost container in script mode only: "
                "hyperparameters sagemaker_program and sagemaker_submit_directory are missing"
            )
        if not isinstance(uri, str) or not uri.startswith("s3://"):
            raise InputError(f"sagemaker_submit_directory '{uri}' is not the S3 URI of a sourcedir.tar.gz")
        source = S3Uri.parse(uri)
        try:
            archives.unpack(storage.read(source), folder)
        except KeyError as error:
            raise InputError(f"{uri} (sagemaker_submit_directory) does not exist (NoSuchKey)") from error
        except archives.BadArchive as error:
            raise InputError(f"{uri} (sagemaker_submit_directory) is not a usable .tar.gz: {error}") from error

    def _launch(self, host: str, python: Path) -> Launch:
        threads = threads_per_process(len(self._hosts))
        module = script_mode.module_of(str(self._hyperparameters[script_mode.PROGRAM]))
        variables = script_mode.environment(
            self._host(host), self._hyperparameters, self._channels(), threads, self._request["TrainingJobName"]
        )
        environment = {
            **base_environment(self._world, python, self._scratch / host / "tmp", threads),
            **variables,
            "PYTHONPATH": script_mode.CODE_DIR,
            "TRAINING_JOB_NAME": self._request["TrainingJobName"],
            "TRAINING_JOB_ARN": self._arn,
            **(self._request.get("Environment") or {}),
        }
        arguments = script_mode.user_arguments(self._hyperparameters)
        command = script_mode.command(str(python), module, arguments)
        return Launch(self._tree(host), command, environment, script_mode.CODE_DIR)

    def _judge(self, ended: Ended) -> TrainingEnd:
        if ended.timed_out:
            return TrainingEnd("Stopped", "MaxRuntimeExceeded")
        if ended.stopped:
            return TrainingEnd("Stopped", "Stopped")
        host = ended.failed_host
        if host is None:
            return TrainingEnd("Completed", "Completed")
        code = ended.exit_codes[host]
        said = read_message(self._tree(host) / "output/failure")
        reason = said or f"ExecuteUserScriptError: {describe_exit(host, code)}; last line: {self._log.last_line}"
        reason = f"AlgorithmError: {reason[:900]}, exit code: {container_exit_code(code)}"
        return TrainingEnd("Failed", "Failed", reason)

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
