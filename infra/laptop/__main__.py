"""`python -m infra.laptop run|e2e|serve|stop|clean`: the whole project on this machine.

run    start local AWS and Airflow, load the athletes, build, deploy, print the addresses, stay until Ctrl-C
e2e    the same with a temporary state and free ports, headless; every athlete's forecast is checked
serve  local AWS and Airflow on the DAGs folder of a package, until SIGTERM; `make deploy` starts it in the background
stop   end what runs in the background, and what a killed `run` left behind
clean  stop, and delete the state
"""

import argparse
import sys
from pathlib import Path

from include.garmin.open import FORMS, with_absolute_path
from infra.deployment.failure import NotDeployed
from infra.laptop import background, commands
from infra.laptop.options import Options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.laptop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["run", "e2e", "serve", "stop", "clean"])
    parser.add_argument(
        "--source",
        default="synthetic",
        metavar="SPEC",
        help=f"{', '.join(FORMS.values())} (default: %(default)s)",
    )
    parser.add_argument("--state", type=Path, default=Path(".local"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--port-airflow", type=int, default=8080, help="of Airflow's UI (default: %(default)s)")
    parser.add_argument("--port-aws", type=int, default=4566, help="of local AWS and REST (default: %(default)s)")
    parser.add_argument("--without-airflow", action="store_true", help="let `serve` start local AWS alone")
    return parser


def main() -> int:
    """Carry out the command; 0, or 1 with what went wrong."""
    args = _parser().parse_args()
    is_packaged = args.command == "serve"
    source = with_absolute_path(args.source)
    options = Options(source, args.state.absolute(), args.port_airflow, args.port_aws, is_packaged)
    try:
        if args.command == "serve":
            return background.serve(options, with_airflow=not args.without_airflow)
        command = {"run": commands.run, "e2e": commands.e2e, "stop": commands.stop, "clean": commands.clean}
        return command[args.command](options)
    except NotDeployed as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
