"""Named keys: who may enter, and what is told of a key."""

import pytest

from remoe_functions.gateway.config import ConfigError
from remoe_functions.gateway.errors import InvalidKey
from remoe_functions.gateway.keys import KeyRing

KEYS = {"alice": "sk-a", "bob": "sk-b"}


@pytest.mark.parametrize("header", [None, "Bearer sk-x", "Bearer", "Basic sk-a", "sk-a"])
async def test_wrong_or_missing_key_is_refused_before_the_body_is_read(world, header):
    async with world(keys=KEYS, asleep=True) as w:
        headers = {} if header is None else {"authorization": header}
        response = await w.post("/v1/chat/completions", {"broken": 1}, headers=headers)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    assert w.runtime.wakes == []


async def test_every_named_key_opens(world):
    async with world(keys=KEYS) as w:
        for key in KEYS.values():
            async with w.openai(key) as client:
                await client.completions.create(model="tiny", prompt="hi")


async def test_probes_and_metrics_need_no_key(world):
    async with world(keys=KEYS) as w:
        for path in ("/health", "/ready", "/metrics", "/version"):
            assert (await w.get(path)).status_code == 200


async def test_metrics_and_log_name_the_key_and_never_show_it(world, caplog):
    caplog.set_level("INFO")
    async with world(keys=KEYS) as w:
        headers = {"authorization": "Bearer sk-a"}
        await w.post("/v1/completions", {"model": "tiny", "prompt": "secret"}, headers=headers)
        metrics = (await w.get("/metrics")).text
    assert 'remoe:requests_total{key="alice",model_name="tiny",outcome="ok"} 1.0' in metrics
    assert "key=alice" in caplog.text
    assert "sk-a" not in metrics + caplog.text
    assert "secret" not in caplog.text


def test_keys_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("REMOE_API_KEYS", '{"alice": "sk-a"}')
    ring = KeyRing.from_environment()
    assert ring.name_of("bearer sk-a") == "alice"
    with pytest.raises(InvalidKey):
        ring.name_of("Bearer sk-b")


@pytest.mark.parametrize("text", ["sk-very-secret", '["sk-very-secret"]', '{"a": 1}', '{"a": ""}'])
def test_malformed_keys_are_refused_without_repeating_them(monkeypatch, text):
    monkeypatch.setenv("REMOE_API_KEYS", text)
    with pytest.raises(ConfigError) as caught:
        KeyRing.from_environment()
    assert "very-secret" not in str(caught.value)
