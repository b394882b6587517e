"""CreateProcessingJob, DescribeProcessingJob, StopProcessingJob, ListProcessingJobs."""

import functools
from pathlib import Path
from typing import Any, cast

from moto.sagemaker.models import SageMakerModelBackend

from infra.localaws.iam.guard import Denied
from infra.localaws.sagemaker import notices
from infra.localaws.sagemaker.actions import Request, override
from infra.localaws.sagemaker.containers import UnknownImage
from infra.localaws.sagemaker.errors import NOT_FOUND, ResourceInUse, ValidationException
from infra.localaws.sagemaker.inputs_outputs import InputError
from infra.localaws.sagemaker.job_runs import JobLog, Runs
from infra.localaws.sagemaker.opt_ml import OPT_ML
from infra.localaws.sagemaker.processes import ProcessGroup
from infra.localaws.sagemaker.processing_run import ProcessingEnd, ProcessingRun
from infra.localaws.sagemaker.records import RESTARTED, JobRecord, epoch_s, summaries, utc_now
from infra.localaws.sagemaker.storage import S3Uri
from infra.localaws.sagemaker.under_role import acting_under, may_log
from infra.localaws.world import World, log

INTERRUPTED = ProcessingEnd("Failed", RESTARTED)
LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
SUMMARY = (
    "ProcessingJobName",
    "ProcessingJobArn",
    "CreationTime",
    "ProcessingEndTime",
    "LastModifiedTime",
    "ProcessingJobStatus",
    "FailureReason",
    "ExitMessage",
)


class Processing:
    """The actions on processing jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.runs = Runs(world, "processing")
        override("CreateProcessingJob", self.create)
        override("DescribeProcessingJob", self.describe)
        override("StopProcessingJob", self.stop)
        override("ListProcessingJobs", self.list)
        world.on_shutdown(self.runs.end_all)

    def create(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        name = request["ProcessingJobName"]
        arn = f"arn:aws:sagemaker:{backend.region_name}:{backend.account_id}:processing-job/{name}"
        _check_inputs_outputs(request)
        now = utc_now()
        description = {
            **{field: value for field, value in request.items() if field != "Tags"},
            "ProcessingJobArn": arn,
            "ProcessingJobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        record = JobRecord(arn, request.get("Tags") or [], description)
        if _jobs(backend).setdefault(name, record) is not record:
            raise ResourceInUse(
                "Processing job names must be unique within an AWS account and region, "
                f"and a processing job with this name already exists ({arn})"
            )
        self._announce(record)
        self.runs.begin(name, functools.partial(self._run, record, request))
        return {"ProcessingJobArn": arn}

    def describe(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        return _find(backend, request["ProcessingJobName"]).description

    def stop(self, backend: SageMakerModelBackend, request: Request) -> None:
        record = _find(backend, request["ProcessingJobName"])
        running = self.runs.get(request["ProcessingJobName"])
        status = record.description["ProcessingJobStatus"]
        if running is None or status != "InProgress":
            raise ValidationException(f"The request was rejected because the processing job is in status {status}.")
        record.change(utc_now(), ProcessingJobStatus="Stopping")
        self._announce(record)
        running.stop()

    def list(self, backend: SageMakerModelBackend, request: Request) -> dict[str, Any]:
        page, token = summaries(list(_jobs(backend).values()), request, "ProcessingJob", SUMMARY)
        return {"ProcessingJobSummaries": page, "NextToken": token}

    def fail_interrupted(self, backend: SageMakerModelBackend) -> None:
        """Jobs whose processes ended with the last local AWS."""
        for record in _jobs(backend).values():
            if record.description["ProcessingJobStatus"] in ("InProgress", "Stopping"):
                self._finish(record, INTERRUPTED)

    def _run(self, record: JobRecord, request: Request, processes: ProcessGroup, scratch: Path) -> None:
        name = request["ProcessingJobName"]
        job_log = JobLog(LOG_GROUP, name, epoch_s(record.description["CreationTime"]))

        def started() -> None:
            now = utc_now()
            record.change(now, ProcessingStartTime=now)
            self._announce(record)

        try:
            image = request["AppSpecification"]["ImageUri"]
            with acting_under(self._world, request["RoleArn"], record.arn, image) as role:
                job_log.is_allowed = may_log(self._world, role, LOG_GROUP, job_log.stream("algo-1"))
                run = ProcessingRun(self._world, request, record.arn, scratch, job_log)
                end = run.run(processes, started, job_log.write)
            end = INTERRUPTED if processes.killed else end
        except Denied as denied:
            end = ProcessingEnd("Failed", f"ClientError: {denied.message}")
        except (InputError, UnknownImage, KeyError, ValueError) as error:
            end = ProcessingEnd("Failed", f"ClientError: {error.args[0]}")
        except Exception as error:
            log.exception("processing job %s", name)
            end = ProcessingEnd("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        self._finish(record, end)

    def _finish(self, record: JobRecord, end: ProcessingEnd) -> None:
        now = utc_now()
        fields: dict[str, Any] = {"ProcessingJobStatus": end.status, "ProcessingEndTime": now}
        if "ProcessingStartTime" not in record.description:
            fields["ProcessingStartTime"] = now
        if end.failure_reason:
            fields["FailureReason"] = end.failure_reason[:1024]
        if end.exit_message:
            fields["ExitMessage"] = end.exit_message
        record.change(now, **fields)
        self._announce(record)
        self._world.mark_changed()

    def _announce(self, record: JobRecord) -> None:
        notices.publish(self._world, "Processing Job", record.arn, record.description)


def _jobs(backend: SageMakerModelBackend) -> dict[str, JobRecord]:
    return cast("dict[str, JobRecord]", backend.processing_jobs)


def _find(backend: SageMakerModelBackend, name: str) -> JobRecord:
    record = _jobs(backend).get(name)
    if record is None:
        raise ValidationException(NOT_FOUND)
    return record


def _check_inputs_outputs(request: Request) -> None:
    """Names once each, S3 URIs that are some, local paths under /opt/ml/processing as AWS wants them."""
    inputs = [(it["InputName"], it.get("S3Input")) for it in request.get("ProcessingInputs") or []]
    outputs = (request.get("ProcessingOutputConfig") or {}).get("Outputs") or []
    named = [*inputs, *((it["OutputName"], it.get("S3Output")) for it in outputs)]
    names = [name for name, _ in named]
    if len(names) != len(set(names)):
        raise ValidationException("Names of processing inputs and outputs must be unique")
    for name, part in named:
        if part is None:
            continue
        try:
            S3Uri.parse(part["S3Uri"])
        except ValueError as error:
            raise ValidationException(f"Invalid S3Uri of '{name}': {error}") from error
        if not str(part.get("LocalPath", "")).startswith(f"{OPT_ML}/processing"):
            raise ValidationException(
                f"LocalPath must start with {OPT_ML}/processing but got '{part.get('LocalPath')}' for '{name}'"
            )
