import os
import shutil
import subprocess

import pytest


@pytest.fixture(scope="session")
def compose_client() -> dict[str, str]:
    """The environment in which `docker compose` is found; skips the test where there is none."""
    own = {name: os.environ[name] for name in ("PATH", "DOCKER_CONFIG", "DOCKER_HOST") if name in os.environ}
    if shutil.which("docker") is None:
        pytest.skip("Docker is not installed")
    if subprocess.run(["docker", "compose", "version"], env=own, capture_output=True, check=False).returncode != 0:
        pytest.skip("Docker has no `docker compose`")
    return own
