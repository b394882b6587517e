"""Brings the containers to their first forecast: stacks, release, pools, athletes, the first runs."""

import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from include.deploy.stack import StackFailed
from include.pools import POOLS
from include.settings import settings
from infra.compose.place import AIRFLOW_URL, LOCAL_AWS_URL
from infra.laptop.airflow_api import RunFailed
from infra.laptop.options import LaptopError, Options
from infra.laptop.progress import Progress
from infra.laptop.stages import Deployment


@dataclass(frozen=True)
class InContainers(Options):
    @property
    def aws_url(self) -> str:
        return LOCAL_AWS_URL

    @property
    def airflow_url(self) -> str:
        return AIRFLOW_URL


def main() -> int:
    options = InContainers(os.environ.get("GFF_SOURCE", "synthetic"), Path("/tmp"), 8080, 4566)
    progress = Progress(sys.stdout)
    deployment = Deployment(options, {}, settings(), None, progress, datetime.now(UTC).date())
    try:
        deployment._deploy()
        deployment._wait_for_airflow(lambda _: None)
        for pool in POOLS:
            deployment.airflow.make_pool(pool)
        found = deployment.bring_to_forecast()
    except (LaptopError, RunFailed, StackFailed, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        progress.close()
    public = replace(
        found,
        airflow=f"http://127.0.0.1:{os.environ['AIRFLOW_PORT']}",
        api=found.api.replace(LOCAL_AWS_URL, f"http://127.0.0.1:{os.environ['AWS_PORT']}"),
    )
    print(public.text(deployment.athletes[0]))
    return 0
