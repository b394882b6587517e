"""How one `make run` is run, and where it keeps its things."""

from dataclasses import dataclass
from pathlib import Path

from infra.deployment.failure import NotDeployed

ROOT = Path(__file__).parents[2]
OFFLINE_DELAY_S = 1.0
"""What local AWS takes from the last put of features until the offline store has them all (AWS: up to 15 minutes)."""
OFFLINE_STORE_LAG_S = OFFLINE_DELAY_S + 2
"""How long `model_build` waits for it: a busy laptop writes a second later. What is put is an athlete's newest row."""


class LaptopError(NotDeployed):
    """Something the user can mend; the message is one clear paragraph."""


@dataclass(frozen=True)
class Options:
    """One laptop deployment: its source of Garmin data, state folder and ports."""

    source: str
    state: Path
    port_airflow: int
    port_aws: int
    is_packaged: bool = False
    """Whether Airflow runs the DAGs folder of a package, as `make deploy` does, and not links into the checkout."""

    @property
    def airflow_home(self) -> Path:
        return self.state / "airflow"

    @property
    def aws_state(self) -> Path:
        return self.state / "aws"

    @property
    def dags_folder(self) -> Path:
        """Airflow's DAGs folder: the only place that its processes import the project from."""
        return self.airflow_home / "dags"

    @property
    def startup_script(self) -> Path:
        """The script of a package that exports the settings of its environment."""
        return self.airflow_home / "startup.sh"

    @property
    def logs(self) -> Path:
        """Output of the processes started here, one file each."""
        return self.state / "logs"

    @property
    def processes_file(self) -> Path:
        """Ids and birth times of the processes started here: what `stop` may end."""
        return self.state / "processes.json"

    @property
    def airflow_bin(self) -> Path:
        return ROOT / ".venvs/airflow/bin"

    @property
    def jobs_python(self) -> Path:
        return ROOT / ".venvs/jobs/bin/python"

    @property
    def aws_url(self) -> str:
        return f"http://127.0.0.1:{self.port_aws}"

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.port_airflow}"
