"""`airflow scheduler` that has imported beforehand what tasks import.

LocalExecutor forks its workers, and these fork a process a task: what the scheduler holds in memory costs a task
nothing, and a second or two otherwise.
"""

import sys
from importlib import import_module

PRELOADED = (
    "airflow.sdk",
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.amazon.aws.hooks.s3",
    "airflow.providers.amazon.aws.operators.sagemaker",
    "airflow.providers.amazon.aws.operators.eventbridge",
    "airflow.providers.amazon.aws.triggers.sagemaker",
    "airflow.providers.standard.operators.python",
    "airflow.providers.standard.decorators.python",
    "airflow.dag_processing.dagbag",
    "boto3",
    "pandas",
    "pydantic_settings",
)


def main() -> None:
    for name in PRELOADED:
        import_module(name)
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", "scheduler", "--skip-serve-logs"]
    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
