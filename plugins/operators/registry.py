"""Registers a model version with all that the registry can hold of it."""

from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.operators.sagemaker import SageMakerRegisterModelVersionOperator

from plugins.operators.denied import FailsAtOnce
from plugins.operators.report_link import ReportLink

SERVING_ENVIRONMENT = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "PIP_NO_BUILD_ISOLATION": "0",
}
"""What the container needs to serve our script; the last has it installed without an index (pip's "0" means "on")."""


class RegisterModelVersionOperator(FailsAtOnce, SageMakerRegisterModelVersionOperator):
    """Airflow's operator, whose `extras` (metrics, metadata, inference specification) are no templates; the task links
    to the report at `report_uri`."""

    template_fields: Sequence[str] = (*SageMakerRegisterModelVersionOperator.template_fields, "extras", "report_uri")
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, extras: dict[str, Any], report_uri: str, **kwargs: Any) -> None:
        super().__init__(extras=extras, **kwargs)
        self.report_uri = report_uri
