"""What only Linux gives, and what a Mac needs in its place: the project runs on both, and says where they differ."""

import shutil
import subprocess
from collections.abc import Mapping

NO_NAMESPACES = (
    "this machine ({}) has no namespaces for jobs: they find /opt/ml in a folder of the state and keep the network of "
    "this machine, where on AWS an isolated job has none (docs/local-aws.md)"
)
FORK_CHECK_OFF = "OBJC_DISABLE_INITIALIZE_FORK_SAFETY"
"""Airflow 3.2.1 forks its tasks; without this, macOS ends a forked process at its first look into a system library."""


def can_isolate() -> bool:
    """Whether a process can have mounts and a network of its own here, as local AWS gives them to jobs."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--map-root-user", "--mount", "--net", "true"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def shortcoming(platform: str, is_isolating: bool) -> str | None:
    """One line for the start of a run where jobs are less apart than on AWS; None where nothing is lacking.

    Args:
        platform: as `sys.platform` names it.
        is_isolating: what `can_isolate` answers here.
    """
    if is_isolating:
        return None
    return NO_NAMESPACES.format({"darwin": "macOS", "linux": "Linux, which denies them here"}.get(platform, platform))


def fork_settings(platform: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Environment variables without which a forked Python crashes on `platform`; none but on a Mac."""
    if platform != "darwin":
        return {}
    # Without a proxy in the environment, Python asks macOS for one, which a forked process must not.
    names_proxy = any(name.lower().endswith("_proxy") for name in inherited)
    return {FORK_CHECK_OFF: "YES"} | ({} if names_proxy else {"no_proxy": "*"})
