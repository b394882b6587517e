from infra.localaws.world import World


def install(world: World) -> None:
    """Not furnished yet."""
