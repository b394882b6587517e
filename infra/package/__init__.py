"""The package: all that a deployment needs and nothing else, the same for MWAA, docker compose and the laptop.

`build_package` makes it in memory from a checkout, `write_package` puts it into `dist/`, and `read_package` reads it
back, sure that it is whole.
"""

from infra.package.build import NotPackaged, build_package
from infra.package.content import Package
from infra.package.folder import DIST, NoPackage, read_package, write_package

__all__ = ["DIST", "NoPackage", "NotPackaged", "Package", "build_package", "read_package", "write_package"]
