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
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # Airflow 3.0 has neither
    from airflow.models.dagbag import DagBag
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization
    BundleDagBag = lambda dag_folder, bundle_path, bundle_name: DagBag(dag_folder, bundle_path=bundle_path)
    sys.path.append(sys.argv[1])
folder = Path(sys.argv[1])
bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
print("PARSED " + json.dumps({
    "airflow": airflow.__version__,
    "dags": {dag_id: dag.relative_fileloc for dag_id, dag in bag.dags.items()},
    "tasks": {dag_id: len(DagSerialization.to_dict(dag)["dag"]["tasks"]) for dag_id, dag in bag.dags.items()},
    "tags": sorted({tag for dag in bag.dags.values() for tag in dag.tags}),
    "errors": {Path(name).name: text for name, text in bag.import_errors.items()},
    "files": sorted(Path(stat.file).name for stat in bag.dagbag_stats),
    "path": sys.path,
    "modules": {name: sys.modules[name].__file__ for name in ("dags", "include", "plugins") if name in sys.modules},
}))
"""


IMPORT = """
import ast, importlib, json, sys
from pathlib import Path
folder, failed = Path(sys.argv[1]), []
sys.path.append(str(folder))
for path in sorted([*folder.glob("dags/*.py"), *folder.glob("plugins/**/*.py")]):
    for node in ast.walk(ast.parse(path.read_text())):
        # airflow_sdk.py has imports for each version, and parsing runs those of this one.
        if isinstance(node, ast.Import | ast.ImportFrom) and path.name != "airflow_sdk.py":
            try:
                exec(compile(ast.Module([node], []), str(path), "exec"), {})
            except Exception as error:
                failed.append(f"{path.name}:{node.lineno}: {error}")
print("PARSED " + json.dumps({"failed": failed}))
"""


def parse(home: Path, folder: Path, python: str = sys.executable, **deployment: str) -> dict[str, Any]:
    """What the Airflow of `python` makes of a DAGs folder; `home` is its empty home folder."""
    return _run(PARSE, home, folder, python, deployment)


def failed_imports(home: Path, folder: Path, python: str = sys.executable, **deployment: str) -> list[str]:
    """Imports in DAGs and plugins that fail there, those inside functions too: tasks run them, parsing does not."""
    return list(_run(IMPORT, home, folder, python, deployment)["failed"])


def _run(script: str, home: Path, folder: Path, python: str, deployment: dict[str, str]) -> dict[str, Any]:
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
    command = [python, "-c", script, str(folder)]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("PARSED "))
    return dict(json.loads(line.removeprefix("PARSED ")))
