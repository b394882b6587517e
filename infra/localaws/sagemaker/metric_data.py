"""Caught metrics, put into CloudWatch as SageMaker puts them."""

from collections.abc import Mapping
from datetime import UTC, datetime

from infra.localaws.sagemaker.under_role import METRICS_NAMESPACE
from infra.localaws.world import ACCOUNT_ID, log


def put(job: str, host: str, values: Mapping[str, float], at: datetime) -> None:
    """One datum a metric, with the dimension `TrainingJobName` and the host."""
    if not values:
        return
    from moto.cloudwatch.models import cloudwatch_backends

    data = [
        {
            "MetricName": name,
            "Value": value,
            "Timestamp": at.replace(tzinfo=UTC),
            "Dimensions": [{"Name": "TrainingJobName", "Value": job}, {"Name": "Host", "Value": f"{job}/{host}"}],
        }
        for name, value in values.items()
    ]
    try:
        cloudwatch_backends[ACCOUNT_ID]["us-east-1"].put_metric_data(METRICS_NAMESPACE, data)
    except Exception:  # a metric less must not fail the job
        log.exception("metrics of %s", job)
