"""`python -m infra.localaws --port 4566 --state DIR`: AWS on a laptop."""

import argparse
from pathlib import Path

from infra.localaws.server import make_server
from infra.localaws.world import Config, World


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.localaws", description=__doc__)
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--jobs-python", type=Path, required=True)
    args = parser.parse_args()
    server = make_server(World(Config(args.port, args.state, args.jobs_python)))
    server.serve()


if __name__ == "__main__":
    main()
