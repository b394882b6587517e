"""The endpoints that serve now. It lives outside of moto's backends, which are kept on disk."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from infra.localaws.sagemaker.serving_process import ServingProcess


@dataclass(frozen=True)
class Variant:
    """A production variant, its share of the traffic and its process."""

    weight: float
    process: ServingProcess


@dataclass(frozen=True)
class Deployment:
    """What one endpoint configuration brought up."""

    config_name: str
    variants: Mapping[str, Variant]

    def close(self) -> None:
        for variant in self.variants.values():
            variant.process.close()


class Fleet:
    """Deployments by endpoint name, safe between threads."""

    def __init__(self, choice: random.Random) -> None:
        self._choice = choice
        self._changed = threading.Condition()
        self._live: dict[str, Deployment] = {}
        self._starting_again: set[str] = set()

    def expect(self, name: str) -> None:
        """The endpoint was in service before a restart: calls wait for it instead of failing."""
        with self._changed:
            self._starting_again.add(name)

    def put(self, name: str, deployment: Deployment | None) -> Deployment | None:
        """Serve `name` by `deployment` (None: no more) from now on; returns what served before."""
        with self._changed:
            before = self._live.pop(name, None)
            if deployment is not None:
                self._live[name] = deployment
            self._starting_again.discard(name)
            self._changed.notify_all()
            return before

    def get(self, name: str, wait_s: float = 60.0) -> Deployment | None:
        with self._changed:
            if name in self._starting_again:
                self._changed.wait_for(lambda: name not in self._starting_again, wait_s)
            return self._live.get(name)

    def pick(self, deployment: Deployment) -> str:
        """A variant by weight."""
        names = list(deployment.variants)
        if len(names) == 1:
            return names[0]
        return self._choice.choices(names, [deployment.variants[name].weight for name in names])[0]

    def close(self) -> None:
        with self._changed:
            live, self._live = list(self._live.values()), {}
        for deployment in live:
            deployment.close()
