"""CreateTrainingJob, DescribeTrainingJob, StopTrainingJob, ListTrainingJobs."""

import functools
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from moto.sagemaker.models import SageMakerModelBackend

from infra.localaws.iam.guard import Denied
from infra.localaws.sagemaker import metric_data, notices, storage
from infra.localaws.sagemaker.actions import Request, override
from infra.localaws.sagemaker.containers import UnknownImage
from infra.localaws.sagemaker.errors import NOT_FOUND, ResourceInUse, ValidationException
from infra.localaws.sagemaker.inputs_outputs import InputError
from infra.localaws.sagemaker.job_runs import JobLog, Runs
from infra.localaws.sagemaker.metrics import MetricCatcher
from infra.localaws.sagemaker.processes import ProcessGroup
from infra.localaws.sagemaker.records import RESTARTED, JobRecord, epoch_s, summaries, utc_now
from infra.localaws.sagemaker.training_run import TrainingEnd, TrainingRun
from infra.localaws.sagemaker.under_role import acting_under, may_log, may_measure
from infra.localaws.world import World, log

INTERRUPTED = TrainingEnd("Failed", "Failed", RESTARTED)
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Stopping": "Stopping the training job",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}
SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "TrainingJobStatus",
    "SecondaryStatus",
)


class Training:
    """The actions on training jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.runs = Runs(world, "training")
        override("CreateTrainingJob", self.create)
        override("DescribeTrainingJob", self.describe)
        override("StopTrainingJob", self.stop)
        override("ListTrainingJobs", self.list)
        world.on_shutdown(self.runs.end_all)

    def create(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        name = request["TrainingJobName"]
        arn = f"arn:aws:sagemaker:{backend.region_name}:{backend.account_id}:training-job/{name}"
        catcher = MetricCatcher(request["AlgorithmSpecification"].get("MetricDefinitions") or [])
        _check_uris(request)
        record = JobRecord(arn, request.get("Tags") or [], _description(request, arn, utc_now()))
        if _jobs(backend).setdefault(name, record) is not record:
            raise ResourceInUse(
                "Training job names must be unique within an AWS account and region, "
                f"and a training job with this name already exists ({arn})"
            )
        self._announce(record)
        self.runs.begin(name, functools.partial(self._run, record, request, catcher))
        return {"TrainingJobArn": arn}

    def describe(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        return _find(backend, request["TrainingJobName"]).description

    def stop(self, backend: SageMakerModelBackend, request: Request) -> None:
        record = _find(backend, request["TrainingJobName"])
        running = self.runs.get(request["TrainingJobName"])
        if running is None or record.description["TrainingJobStatus"] != "InProgress":
            raise ValidationException(
                "The request was rejected because the training job is in status "
                f"{record.description['TrainingJobStatus']}."
            )
        _enter(record, "Stopping", TrainingJobStatus="Stopping")
        self._announce(record)
        running.stop()

    def list(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        page, token = summaries(list(_jobs(backend).values()), request, "TrainingJob", SUMMARY)
        return {"TrainingJobSummaries": page, "NextToken": token}

    def fail_interrupted(self, backend: SageMakerModelBackend) -> None:
        """Jobs whose processes ended with the last local AWS."""
        for record in _jobs(backend).values():
            if record.description["TrainingJobStatus"] in ("InProgress", "Stopping"):
                self._finish(record, INTERRUPTED, MetricCatcher([]))

    def _run(
        self, record: JobRecord, request: Request, catcher: MetricCatcher, processes: ProcessGroup, scratch: Path
    ) -> None:
        name = request["TrainingJobName"]
        job_log = JobLog(LOG_GROUP, name, epoch_s(record.description["CreationTime"]))

        measures = False

        def on_line(host: str, line: str) -> None:
            job_log.write(host, line)
            now = utc_now()
            found = catcher.read(line, now)
            if measures:
                metric_data.put(name, host, found, now)

        def enter(status: str) -> None:
            started = {"TrainingStartTime": utc_now()} if status == "Downloading" else {}
            stopping = record.description["TrainingJobStatus"] == "Stopping"
            _enter(record, "Stopping" if stopping else status, **started)
            self._announce(record)

        try:
            image = str(request["AlgorithmSpecification"].get("TrainingImage", ""))
            with acting_under(self._world, request["RoleArn"], record.arn, image) as role:
                job_log.is_allowed = may_log(self._world, role, LOG_GROUP, job_log.stream("algo-1"))
                measures = may_measure(self._world, role)
                run = TrainingRun(self._world, request, record.arn, scratch, job_log)
                end = run.run(processes, enter, on_line)
            end = INTERRUPTED if processes.killed else end
        except Denied as denied:
            end = TrainingEnd("Failed", "Failed", f"ClientError: {denied.message}")
        except (InputError, UnknownImage, KeyError) as error:
            end = TrainingEnd("Failed", "Failed", f"ClientError: {error.args[0]}")
        except Exception as error:
            log.exception("training job %s", name)
            end = TrainingEnd("Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}")
        self._finish(record, end, catcher)

    def _finish(self, record: JobRecord, end: TrainingEnd, catcher: MetricCatcher) -> None:
        now = utc_now()
        started = record.description.get("TrainingStartTime", now)
        fields: dict[str, Any] = {
            "TrainingJobStatus": end.status,
            "TrainingStartTime": started,
            "TrainingEndTime": now,
            "TrainingTimeInSeconds": max(1, round((now - started).total_seconds())),
            "FinalMetricDataList": catcher.final(),
        }
        fields["BillableTimeInSeconds"] = fields["TrainingTimeInSeconds"]
        if end.failure_reason is not None:
            fields["FailureReason"] = end.failure_reason[:1024]
        if end.status != "Failed":
            fields["ModelArtifacts"] = {"S3ModelArtifacts": _artifact(record.description)}
        _enter(record, end.secondary_status, **fields)
        self._announce(record)
        self._world.mark_changed()

    def _announce(self, record: JobRecord) -> None:
        notices.publish(self._world, "Training Job", record.arn, record.description)


def _jobs(backend: SageMakerModelBackend) -> dict[str, JobRecord]:
    return cast("dict[str, JobRecord]", backend.training_jobs)


def _find(backend: SageMakerModelBackend, name: str) -> JobRecord:
    record = _jobs(backend).get(name)
    if record is None:
        raise ValidationException(NOT_FOUND)
    return record


def _description(request: Request, arn: str, now: datetime) -> dict[str, Any]:
    kept = {name: value for name, value in request.items() if name != "Tags"}
    return {
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        **kept,
        "TrainingJobArn": arn,
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "CreationTime": now,
        "LastModifiedTime": now,
        "SecondaryStatusTransitions": [
            {"Status": "Starting", "StartTime": now, "StatusMessage": MESSAGES["Starting"]},
        ],
    }


def _enter(record: JobRecord, status: str, **fields: Any) -> None:
    """Move to a secondary status; the time of the last one ends here."""
    now = utc_now()
    past = record.description["SecondaryStatusTransitions"]
    if past[-1]["Status"] != status:
        past = [*past[:-1], {**past[-1], "EndTime": now}]
        past = [*past, {"Status": status, "StartTime": now, "StatusMessage": MESSAGES[status]}]
    if status in ("Completed", "Failed", "Stopped", "MaxRuntimeExceeded"):
        message = fields.get("FailureReason") or MESSAGES[status]
        past = [*past[:-1], {**past[-1], "EndTime": now, "StatusMessage": message}]
    record.change(now, SecondaryStatus=status, SecondaryStatusTransitions=past, **fields)


def _artifact(description: dict[str, Any]) -> str:
    path = str(description["OutputDataConfig"]["S3OutputPath"]).rstrip("/")
    return f"{path}/{description['TrainingJobName']}/output/model.tar.gz"


def _check_uris(request: Request) -> None:
    channels = [it["ChannelName"] for it in request.get("InputDataConfig") or []]
    if len(channels) != len(set(channels)):
        raise ValidationException("Channel names in InputDataConfig must be unique")
    if "ResourceConfig" not in request:
        raise ValidationException("ResourceConfig is required")
    output = request["OutputDataConfig"]["S3OutputPath"]
    try:
        bucket = storage.S3Uri.parse(output).bucket
    except ValueError as error:
        raise ValidationException(f"Invalid S3OutputPath: {error}") from error
    if not storage.has_bucket(bucket):
        raise ValidationException(f"Could not find the output bucket: No bucket '{bucket}' (S3OutputPath {output})")
