"""Clients for tasks, by Airflow's own hook: the default credentials, those of the environment's role on MWAA."""

from typing import Any

RETRIES: dict[str, dict[str, Any]] = {
    # One athlete's history can exceed what AWS takes of a record identifier a second: slow down and go on.
    "sagemaker-featurestore-runtime": {"mode": "adaptive", "max_attempts": 10},
}
"""How clients of a service retry, where botocore's default does not do."""


def client(service: str) -> Any:
    """A boto3 client of an AWS service (`s3`, `sagemaker-featurestore-runtime`).

    No connection is looked up: a lookup costs a request to the API server, and MWAA's role needs none.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    from botocore.config import Config

    from include.bucket_owner import expect_bucket_owner
    from include.settings import settings

    config = Config(retries=RETRIES[service]) if service in RETRIES else None  # type: ignore[arg-type]
    # Names hold the region, so the client must be in the same; botocore itself reads AWS_DEFAULT_REGION alone.
    hook = AwsBaseHook(aws_conn_id=None, client_type=service, region_name=settings().region, config=config)
    return expect_bucket_owner(hook.get_conn(), settings().account_id)
