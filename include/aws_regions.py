"""What differs between the regions of AWS: partition, domain, and where the XGBoost image is."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from re import fullmatch
from typing import Any

from include.image_accounts import ACCOUNTS, IMAGE_VERSION, REPOSITORY


class UnknownRegion(ValueError):
    """No AWS region has this name, as far as the installed SDK knows."""


class NoImage(ValueError):
    """SageMaker's XGBoost image is not offered in a region."""


@dataclass(frozen=True)
class Partition:
    """A part of AWS with accounts of its own: most regions are in `aws`, China's are in `aws-cn`."""

    name: str
    """The second field of every ARN."""
    dns_suffix: str
    """The domain of its services, for example `amazonaws.com`."""


@cache
def partition_of(region: str) -> Partition:
    """The partition of a region.

    Raises:
        UnknownRegion: for a name that fits no partition.
    """
    for partition in _partitions():
        outputs = partition["outputs"]
        if region in partition["regions"] or fullmatch(partition["regionRegex"], region):
            return Partition(partition["id"], outputs["dnsSuffix"])
    raise UnknownRegion(f"there is no AWS region {region!r}")


def image_account(region: str) -> str:
    """The account that holds the XGBoost image of a region.

    Raises:
        NoImage: SageMaker does not offer the image there.
    """
    if region not in ACCOUNTS:
        raise NoImage(
            f"SageMaker has no image {REPOSITORY}:{IMAGE_VERSION} in region {region}: deploy to another, "
            f"for example to one of {', '.join(_neighbours(region))}"
        )
    return ACCOUNTS[region]


def xgboost_image(region: str) -> str:
    """URI of the XGBoost image in a region.

    Raises:
        NoImage: SageMaker does not offer the image there.
        UnknownRegion: there is no such region.
    """
    domain = f"{image_account(region)}.dkr.ecr.{region}.{partition_of(region).dns_suffix}"
    return f"{domain}/{REPOSITORY}:{IMAGE_VERSION}"


def _neighbours(region: str) -> list[str]:
    """Up to four regions with the image, those of the same continent where there are any."""
    continent = region.partition("-")[0]
    return ([name for name in sorted(ACCOUNTS) if name.startswith(f"{continent}-")] or sorted(ACCOUNTS))[:4]


@cache
def _partitions() -> list[dict[str, Any]]:
    """botocore's own list, read without importing botocore: every DAG file pays for what is imported here."""
    found = find_spec("botocore")
    assert found is not None and found.origin is not None
    data = json.loads((Path(found.origin).parent / "data/partitions.json").read_text())
    return list(data["partitions"])
