"""The HTTP server: our fast routes first, moto for everything else."""

import os
from collections.abc import Iterable
from importlib import import_module

from cheroot.wsgi import Server

from infra.localaws.world import Environ, StartResponse, World

SERVICES = (
    "infra.localaws.s3",
    "infra.localaws.logs",
    "infra.localaws.sagemaker",
    "infra.localaws.featurestore",
    "infra.localaws.lambdas",
    "infra.localaws.events",
    "infra.localaws.apigateway",
    "infra.localaws.cloudformation",
)
"""Each has `install(world)`; the order is that of installation."""


class Application:
    """One WSGI application for every AWS service."""

    def __init__(self, world: World) -> None:
        os.environ.setdefault("MOTO_ACCOUNT_ID", "123456789012")
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self.world = world
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        for matches, app in self.world.routes:
            if matches(environ):
                return app(environ, start_response)
        return self.moto(environ, start_response)


def make_server(world: World) -> Server:
    """Install every service and bind the port (it raises OSError where that is taken)."""
    for name in SERVICES:
        import_module(name).install(world)
    server = Server((world.config.host, world.config.port), Application(world), numthreads=24, request_queue_size=128)
    server.prepare()
    return server
