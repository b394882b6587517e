"""Operators of SageMaker jobs whose failed tasks end with the reason that the job left."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerBaseOperator,
    SageMakerProcessingOperator,
    SageMakerTrainingOperator,
)

from plugins.operators.airflow_sdk import AirflowException
from plugins.operators.denied import FailsAtOnce

if TYPE_CHECKING:
    from airflow.sdk import Context

JobKind = Literal["Training", "Processing"]


class JobFailed(AirflowException):
    """A SageMaker job failed; the message is the job's own reason."""


def failure_of(sagemaker: Any, kind: JobKind, name: str) -> str | None:
    """Why a job failed, in its own words where it left some; None where it has not failed.

    A processing job's words are in ExitMessage; its FailureReason says no more than that it failed.
    """
    describe = sagemaker.describe_training_job if kind == "Training" else sagemaker.describe_processing_job
    job = describe(**{f"{kind}JobName": name})
    if job[f"{kind}JobStatus"] != "Failed":
        return None
    reason = job.get("ExitMessage") or job.get("FailureReason") or "no reason given"
    return f"{kind} job {name} failed: {reason} (its log is in CloudWatch, /aws/sagemaker/{kind}Jobs)"


class _ReasonedJobOperator(SageMakerBaseOperator):
    """Turns the error of Airflow's operator into the job's own reason.

    That operator shows FailureReason alone, and in deferrable mode only that its trigger failed.
    """

    kind: ClassVar[JobKind]

    def execute(self, context: "Context") -> Any:
        try:
            return super().execute(context)
        except AirflowException as error:
            self._raise_reason(error)
            raise

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: "Context") -> Any:
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowException as error:
            self._raise_reason(error)
            raise

    def _raise_reason(self, error: AirflowException) -> None:
        """Raise JobFailed where the job failed; an error of another cause (no rights, a timeout) is left as it is."""
        if reason := failure_of(self.hook.conn, self.kind, self.config[f"{self.kind}JobName"]):
            raise JobFailed(reason) from error


class ProcessingJobOperator(FailsAtOnce, _ReasonedJobOperator, SageMakerProcessingOperator):
    """Runs a processing job; where it fails, the task's error is the reason that the job left."""

    kind = "Processing"


class TrainingJobOperator(FailsAtOnce, _ReasonedJobOperator, SageMakerTrainingOperator):
    """Runs a training job; where it fails, the task's error is the reason that the job left."""

    kind = "Training"
