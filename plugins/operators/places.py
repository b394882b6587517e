"""What tasks hand to `include/ingest`: clients and names of this deployment, and the name of the run."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.ingest.places import Places


def places() -> "Places":
    """The bucket and the feature group of this deployment, with clients."""
    from include.ingest.places import Places
    from include.settings import settings
    from plugins.operators.aws import client

    return Places(client("s3"), settings().bucket, client("sagemaker-featurestore-runtime"), settings().feature_group)


def run_name(ti: Any) -> str:
    """A DAG run as it stands in keys of the bucket; the same at every try."""
    from include.garmin.holdings import safe_name

    return safe_name(f"{ti.dag_id}-{ti.run_id}")
