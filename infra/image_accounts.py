"""Take the accounts of the XGBoost images from the SageMaker SDK: `python -m infra.image_accounts`.

The SDK cannot be installed beside Airflow or in the jobs' container, and only one file of it is wanted. So it has an
environment of its own, `.venvs/release`, and its table is kept as a module that every environment can import.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venvs/release"
MODULE = ROOT / "include/image_accounts.py"
PACKAGE = "sagemaker-core"
TABLE = "sagemaker/core/image_uri_config/xgboost.json"
IMAGE_VERSION = "3.2-0"


class SdkMissing(Exception):
    """The environment does not hold the SageMaker SDK; the message says how to make it."""


@dataclass(frozen=True)
class ImageTable:
    """What the SDK says of one version of the XGBoost image."""

    repository: str
    image_version: str
    accounts: dict[str, str]
    """The account that holds the image, by region."""
    package: str
    """The SDK's package and version."""


def image_table(environment: Path = ENVIRONMENT, image_version: str = IMAGE_VERSION) -> ImageTable:
    """Read the table of the SDK that is installed in a virtual environment.

    Raises:
        SdkMissing: the SDK is not installed there.
        ValueError: the SDK does not know the image version, or has two answers for it.
    """
    packages = next(iter(sorted(environment.glob("lib/python3.*/site-packages"))), environment)
    found = next(iter(distributions(name=PACKAGE, path=[str(packages)])), None)
    if found is None or not (packages / TABLE).exists():
        raise SdkMissing(f"{PACKAGE} is not installed in {environment}: make it from locks/release.txt")
    scopes = json.loads((packages / TABLE).read_text())
    rows = [scopes[scope]["versions"].get(image_version) for scope in ("training", "inference")]
    if rows[0] is None or rows[0] != rows[1]:
        raise ValueError(f"{PACKAGE} {found.version} has no one image {image_version} for training and inference")
    row = rows[0]
    return ImageTable(row["repository"], image_version, row["registries"], f"{PACKAGE} {found.version}")


def module_text(table: ImageTable) -> str:
    """The source of include/image_accounts.py."""
    rows = "".join(f'    "{region}": "{account}",\n' for region, account in sorted(table.accounts.items()))
    return (
        '"""Which AWS account holds the SageMaker XGBoost image of a region.\n\n'
        f"Written by `python -m infra.image_accounts` from {table.package}; a test compares the two.\n"
        '"""\n\n'
        f'REPOSITORY = "{table.repository}"\n'
        f'IMAGE_VERSION = "{table.image_version}"\n'
        f"ACCOUNTS = {{\n{rows}}}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the module; 0, or 1 with one line that says what failed."""
    parser = argparse.ArgumentParser(prog="python -m infra.image_accounts", description=main.__doc__)
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="where the SageMaker SDK is installed")
    options = parser.parse_args(arguments)
    try:
        table = image_table(options.environment)
    except (SdkMissing, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    MODULE.write_text(module_text(table))
    written = f"{MODULE.relative_to(ROOT)}: image {table.image_version} in {len(table.accounts)} regions"
    print(f"{written} ({table.package})")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
