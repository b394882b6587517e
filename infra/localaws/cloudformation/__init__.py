"""CloudFormation: stacks of the types in `adapters`, made by the API of their services, rolled back on failure."""

import threading

from infra.localaws.world import ACCOUNT_ID, World


def install(world: World) -> None:
    """Answer CloudFormation's actions; its state is kept in moto's backend."""
    from moto.cloudformation.models import cloudformation_backends

    from infra.localaws.cloudformation.actions import install_actions
    from infra.localaws.cloudformation.clients import Clients
    from infra.localaws.cloudformation.engine import Engine, Resources
    from infra.localaws.cloudformation.rollback import Operations
    from infra.localaws.cloudformation.stacks import Stacks

    clients = Clients(world)

    def save() -> None:
        world.save()  # the application sets it after this

    resources = Resources(clients, save)
    operations = Operations(Engine(resources), resources)
    by_region: dict[str, Stacks] = {}
    lock = threading.Lock()

    def stacks_for(region: str) -> Stacks:
        backend = cloudformation_backends[ACCOUNT_ID][region]
        with lock:
            if region not in by_region or by_region[region].backend is not backend:
                by_region[region] = Stacks(backend, region, world, operations, clients.client_for(region))
            return by_region[region]

    def resume() -> None:
        for region in list(cloudformation_backends[ACCOUNT_ID]):
            stacks_for(region).resume()

    install_actions(stacks_for)
    world.on_restore(resume)
