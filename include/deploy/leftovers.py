"""What stays when the project's stacks are deleted, and would stand in the way of the next deployment.

SageMaker refuses to delete a group of model packages that holds any; feature groups are kept by their stack, so that
an old schema stays readable; jobs log into groups that all SageMaker jobs of an account share.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from include.deploy.following import Progress

JOB_LOG_GROUPS = ("/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs")


def delete_model_packages(sagemaker: Any, group: str, report: Progress) -> int:
    """Delete every package of a model package group; returns how many there were.

    The artifacts of the models stay in the bucket.
    """
    deleted = 0
    while arns := list(_package_arns(sagemaker, group)):
        for arn in arns:
            sagemaker.delete_model_package(ModelPackageName=arn)
        deleted += len(arns)
    if deleted:
        report(f"{group}: {deleted} model packages deleted")
    return deleted


def delete_job_logs(logs: Any, project: str, report: Progress) -> int:
    """Delete the log streams of the project's jobs; returns how many there were.

    The groups stay: they hold the logs of every SageMaker job of the account.
    """
    ours = re.compile(rf"{re.escape(project)}-(preprocess|train|evaluate)-\d{{8}}t")
    deleted = 0
    for group in JOB_LOG_GROUPS:
        for stream in list(_log_streams(logs, group, f"{project}-")):
            if ours.match(stream):
                _unless_gone(logs.delete_log_stream, logGroupName=group, logStreamName=stream)
                deleted += 1
    if deleted:
        report(f"{deleted} log streams of jobs deleted")
    return deleted


def delete_tokens(ssm: Any, project: str, report: Progress) -> int:
    """Delete the Garmin tokens of every athlete; returns how many there were."""
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/{project}/garmin", Recursive=True)
    names = [parameter["Name"] for page in pages for parameter in page["Parameters"]]
    for name in names:
        _unless_gone(ssm.delete_parameter, Name=name)
    if names:
        report(f"Garmin tokens of {len(names)} athletes deleted")
    return len(names)


def keep_job_logs(logs: Any, retention_days: int) -> None:
    """Let the logs of SageMaker's jobs expire, those of the whole account: it has one group for each kind of job."""
    for group in JOB_LOG_GROUPS:
        try:
            logs.create_log_group(logGroupName=group)
        except ClientError as error:
            if _code(error) != "ResourceAlreadyExistsException":
                raise
        logs.put_retention_policy(logGroupName=group, retentionInDays=retention_days)


def _package_arns(sagemaker: Any, group: str) -> Iterator[str]:
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    for page in _pages(pages):
        yield from (package["ModelPackageArn"] for package in page["ModelPackageSummaryList"])


def _log_streams(logs: Any, group: str, prefix: str) -> Iterator[str]:
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group, logStreamNamePrefix=prefix)
    for page in _pages(pages):
        yield from (stream["logStreamName"] for stream in page["logStreams"])


def _pages(pages: Any) -> Iterator[dict[str, Any]]:
    """The pages of a list; none where what it belongs to is gone."""
    try:
        yield from pages
    except ClientError as error:
        if not _is_gone(error):
            raise


def _unless_gone(call: Callable[..., Any], **arguments: Any) -> Any:
    """The answer of a call, or None where its object is gone already."""
    try:
        return call(**arguments)
    except ClientError as error:
        if not _is_gone(error):
            raise
        return None


def _is_gone(error: ClientError) -> bool:
    return "NotFound" in _code(error) or "does not exist" in str(error)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
