"""`python -m infra.laptop run|e2e|stop|clean`: the whole project on this machine.

run    start local AWS and Airflow, load the athletes, build, deploy, print the addresses, stay until Ctrl-C
e2e    the same with a temporary state and free ports, headless; every athlete's forecast is checked
stop   end what a killed `run` left behind
clean  stop, and delete the state
"""

import argparse
import sys
from pathlib import Path

from include.garmin.open import FORMS, with_absolute_path
from infra.laptop import commands
from infra.laptop.options import LaptopError, Options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.laptop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["run", "e2e", "stop", "clean"])
    parser.add_argument(
        "--source",
        default="synthetic",
        metavar="SPEC",
        help=f"{', '.join(FORMS.values())} (default: %(default)s)",
    )
    parser.add_argument("--state", type=Path, default=Path(".local"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--port-airflow", type=int, default=8080, help="of Airflow's UI (default: %(default)s)")
    parser.add_argument("--port-aws", type=int, default=4566, help="of local AWS and REST (default: %(default)s)")
    return parser


def main() -> int:
    args = _parser().parse_args()
    options = Options(with_absolute_path(args.source), args.state.absolute(), args.port_airflow, args.port_aws)
    command = {"run": commands.run, "e2e": commands.e2e, "stop": commands.stop, "clean": commands.clean}[args.command]
    try:
        return command(options)
    except LaptopError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
