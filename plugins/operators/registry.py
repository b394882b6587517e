"""Registers a model version with all that the registry can hold of it."""

from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.operators.sagemaker import SageMakerRegisterModelVersionOperator


class RegisterModelVersionOperator(SageMakerRegisterModelVersionOperator):
    """Airflow's operator, whose `extras` (metrics, metadata, inference specification) are no templates."""

    template_fields: Sequence[str] = (*SageMakerRegisterModelVersionOperator.template_fields, "extras")

    def __init__(self, *, extras: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(extras=extras, **kwargs)
