"""What of an environment is there, in a few lines."""

from include.deploy import release
from include.deploy.following import find_stack
from include.settings import settings
from infra.deployment import stacks
from infra.deployment.addresses import find_addresses
from infra.deployment.flow import callers_of
from infra.deployment.home import Home


def status_lines(home: Home) -> list[str]:
    """Stacks, release, Airflow and addresses of an open home.

    Raises:
        NotDeployed: the caller may not look.
    """
    callers = callers_of(home)
    clients = callers.deployer if callers.has_roles else callers.caller
    found = settings()
    lines = [
        f"environment {home.environment.name} ({home.environment.home}), account {found.account_id}, {found.region}"
    ]
    cloudformation, states = clients("cloudformation"), {}
    for name in (*stacks.stack_names(home.environment), "endpoint"):
        stack = find_stack(cloudformation, found.stack(name))
        states[name] = stack["StackStatus"] if stack else "not there"
        lines.append(f"  {found.stack(name):<34} {states[name]}")
    if states["data"] != "not there":
        lines.append(f"  {'release':<34} {release.current_release(clients('s3'), found.bucket) or 'none yet'}")
    lines += [f"  {'Airflow':<34} {line}" for line in home.airflow_lines(clients)]
    if (addresses := find_addresses(clients, found, home.shown_urls)) is not None:
        lines += [f"  {'Airflow':<34} {addresses.airflow}", f"  {'API':<34} {addresses.api}/"]
    return lines
