"""Clients for tasks, by Airflow's own hook: the default credentials, those of the environment's role on MWAA."""

from typing import Any


def client(service: str) -> Any:
    """A boto3 client of an AWS service (`s3`, `sagemaker-featurestore-runtime`).

    No connection is looked up: a lookup costs a request to the API server, and MWAA's role needs none.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    return AwsBaseHook(aws_conn_id=None, client_type=service).get_conn()
