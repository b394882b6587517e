"""Where an ingest reads and writes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Places:
    """The bucket and the feature group of a run, each with the client that reaches it."""

    s3: "S3Client"
    bucket: str
    runtime: Any
    """A `sagemaker-featurestore-runtime` client."""
    feature_group: str
