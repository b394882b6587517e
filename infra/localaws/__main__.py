"""`python -m infra.localaws`: AWS on a laptop; `--help` says all."""

import sys

from infra.localaws.cli import main

if __name__ == "__main__":
    sys.exit(main())
