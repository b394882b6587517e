"""What Airflow makes of a DAGs folder, in a fresh process that has MWAA's module path."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

DAGS = {
    "garmin_backfill": "dags/backfill.py",
    "garmin_ingest": "dags/ingest.py",
    "model_build": "dags/build.py",
    "model_deploy": "dags/deploy.py",
}
"""File of each DAG, below the DAGs folder."""
DEPLOYMENT = {"GFF_ACCOUNT_ID": "123456789012", "GFF_REGION": "eu-west-1", "AWS_REGION": "eu-west-1"}
PARSE = """
import json, sys
from pathlib import Path
import airflow
try:
    from airflow.dag_processing.dagbag import BundleDagBag
except ImportError:  # Airflow 3.0 has neither the place nor the class
    from airflow.models.dagbag import DagBag
    BundleDagBag = lambda dag_folder, bundle_path, bundle_name: DagBag(dag_folder, bundle_path=bundle_path)
    sys.path.append(sys.argv[1])
folder = Path(sys.argv[1])
bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
print("PARSED " + json.dumps({
    "airflow": airflow.__version__,
    "dags": {dag_id: dag.relative_fileloc for dag_id, dag in bag.dags.items()},
    "tags": sorted({tag for dag in bag.dags.values() for tag in dag.tags}),
    "errors": {Path(name).name: text for name, text in bag.import_errors.items()},
    "files": sorted(Path(stat.file).name for stat in bag.dagbag_stats),
    "path": sys.path,
    "modules": {name: sys.modules[name].__file__ for name in ("dags", "include", "plugins") if name in sys.modules},
}))
"""


def parse(home: Path, folder: Path, python: str = sys.executable, **deployment: str) -> dict[str, Any]:
    """What the Airflow of `python` makes of a DAGs folder; `home` is its empty home folder."""
    own_path = home / "python"
    for place in (own_path, home / "plugins"):  # MWAA has both; beside the DAGs folder, and no package
        place.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.defpath,
        "HOME": str(home),
        "PYTHONPATH": f"{own_path}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        **deployment,
    }
    command = [python, "-c", PARSE, str(folder)]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("PARSED "))
    return dict(json.loads(line.removeprefix("PARSED ")))
