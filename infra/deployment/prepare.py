"""What the DAGs need once: athletes in the bucket, pools and unpaused DAGs in Airflow's database. Safe to do again."""

from collections.abc import Sequence

from include.deploy.following import Progress
from include.deploy.project import Clients
from include.garmin.registry import set_default_athletes
from include.pools import POOLS
from include.settings import Settings
from infra.deployment.airflow_api import AirflowApi
from infra.deployment.chain import DAGS


def list_athletes(clients: Clients, settings: Settings, athletes: Sequence[str]) -> list[str]:
    """Make the source's athletes those of the deployment; all of its athletes, with those of other sources."""
    return [athlete.athlete_id for athlete in set_default_athletes(clients("s3"), settings.bucket, athletes)]


def make_pools(airflow: AirflowApi) -> None:
    """Make the pools that are missing; the slots that a person gave one are kept."""
    for pool in POOLS:
        airflow.make_pool(pool)


def unpause(airflow: AirflowApi, say: Progress, *, is_first: bool) -> None:
    """Unpause the DAGs of a first deployment, and those that never ran; a person may have paused the others."""
    for dag_id in DAGS:
        if is_first or not airflow.runs(dag_id):
            airflow.unpause(dag_id)
            say(f"{dag_id}: unpaused")
