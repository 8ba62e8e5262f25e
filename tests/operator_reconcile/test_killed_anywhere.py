"""An operator that is killed between any two writes leaves what the next one finishes."""

from __future__ import annotations

import json

import pytest
from builders.service_world import World

from remoe_operator.cluster.objects import claims_replicas

OTHER_PLAN = {"spec": {"experts": {"remoteShare": 0.25}}}


class KilledError(Exception):
    """The process is gone, in the middle of a pass."""


class MortalWorld(World):
    """A world whose operator dies at its nth write, once, and is started anew."""

    def __init__(self, dies_at=None):
        super().__init__()
        self.left, whole = dies_at, self.api.request

        async def request(verb, *args, **kwargs):
            if verb != "get" and self.left is not None:
                self.left -= 1
                if self.left == 0:
                    self.left = None
                    raise KilledError
            return await whole(verb, *args, **kwargs)

        self.api.request = request
        self.start()

    async def lived(self):
        """The whole life: fetch, plan, serve, change the plan, and come to rest."""
        self.ask()
        await self.passes(2)
        self.finish_fetch()
        await self.passes(4)
        self.edit(OTHER_PLAN)
        await self.passes(8)
        return self

    async def passes(self, rounds):
        for _ in range(rounds):
            try:
                await self.step()
            except KilledError:
                self.start()
            self.run_deployments()

    def shape(self):
        """Everything there is but what is drawn, counted or timed."""
        return {
            key[:1] + key[2:]: json.dumps([o.get("spec"), o.get("data")], sort_keys=True)
            for key, o in self.api.objects.items()
            if key[0] not in ("events", "secrets", "moeservices", "configmaps")
        } | dict.fromkeys(self.api.all("configmaps"))


@pytest.mark.parametrize("write", [1, 3, 12, 20, 21, 30, 45, 52])
async def test_next_operator_comes_to_the_same_end(write):
    undisturbed = await MortalWorld().lived()
    killed = await MortalWorld(dies_at=write).lived()
    assert killed.left is None, "it was killed"
    assert killed.shape() == undisturbed.shape()
    assert killed.conditions()["Ready"][0] == "True"
    deployments = killed.api.all("deployments")
    assert not any(claims_replicas(d) for n, d in deployments.items() if n != "remoe-gateway")
    killed.api.writes.clear()
    await killed.step()
    assert killed.api.writes == []
