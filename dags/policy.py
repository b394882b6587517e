"""What every DAG of the project has in common."""

from datetime import timedelta
from typing import Any

from include.settings import settings
from include.version import running_version
from plugins.operators.airflow_sdk import DOUBLING_BACKOFF

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "fitness-forecast",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": DOUBLING_BACKOFF,
    "max_retry_delay": timedelta(minutes=5),
}
TAGS = ["fitness-forecast", f"version:{running_version()}"]
"""Which version runs is seen beside each DAG: a deployment is done when all of them show the new one."""
JOB_TIMEOUT = timedelta(hours=2)
AWS_ARGS: dict[str, Any] = {"aws_conn_id": None}
"""No connection is looked up: the default credentials, on MWAA those of the environment's role."""
JOB_ARGS: dict[str, Any] = {
    **AWS_ARGS,
    "deferrable": True,
    "check_interval": settings().job_poll_s,
    "max_attempts": int(JOB_TIMEOUT.total_seconds()) // settings().job_poll_s,
    "execution_timeout": JOB_TIMEOUT,
}
"""SageMaker jobs are waited for by the triggerer, without a worker."""
