"""`python -m infra.compose COMMAND`: what the containers of docker-compose.yaml run.

secrets          make, once, the secrets of the deployment and the day from which its schedule counts
init             check memory and disk, and make or migrate Airflow's database
run COMMAND …    run a command of Airflow with the secrets in its environment
mwaa COMMAND     the same in AWS's own MWAA image: migrate-db, webserver or scheduler
health SERVICE   whether a service of this container works: exit status 0, or 1 and why
provision        deploy the project to these containers (infra.deployment; `--yes` asks nobody)
"""

import argparse
import sys

from infra.compose.database import DatabaseAway
from infra.compose.place import CannotStart

COMMANDS = ("secrets", "init", "run", "mwaa", "health", "provision")


def main(arguments: list[str]) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.compose", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="…")
    options = parser.parse_args(arguments)
    try:
        return _run(options.command, options.rest)
    except (CannotStart, DatabaseAway) as error:
        print(error, file=sys.stderr)
        return 1


def _run(command: str, rest: list[str]) -> int:
    # Each command imports what it needs and no more: a health check runs every few seconds.
    if command == "health":
        from infra.compose import health

        return health.main(rest)
    if command in ("run", "mwaa", "provision"):
        from infra.compose import process

        {"run": process.run, "mwaa": process.run_in_mwaa_image, "provision": process.provision}[command](rest)
    if command == "secrets":
        from infra.compose import secret_files

        secret_files.make()
        return 0
    from infra.compose import init

    return init.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
