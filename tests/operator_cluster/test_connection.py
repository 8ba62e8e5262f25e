"""The operator's requests over real HTTP: what is sent, and how what comes back is understood."""

from __future__ import annotations

import asyncio
import socket

import pytest
from kubernetes.aio.client import ApiClient, Configuration

from remoe_operator.cluster.connection import Connection
from remoe_operator.cluster.errors import ForbiddenError, NotFoundError, UnreachableError
from remoe_operator.cluster.kinds import CONFIG_MAP
from remoe_operator.cluster.objects import Objects

CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c", "namespace": "n"},
    "data": {},
}
PATH = "/api/v1/namespaces/n/configmaps"


@pytest.fixture
async def connect():
    clients = []

    async def to(host, timeout_seconds=5.0):
        client = ApiClient(Configuration(host=host))
        clients.append(client)
        return Connection(client, timeout_seconds=timeout_seconds)

    yield to
    for client in clients:
        await client.close()


async def test_apply_is_sent_as_server_side_apply_by_its_manager(kmock, connect):
    kmock.objects["v1/configmaps", "n", "c"] = CONFIG
    kmock[f"patch {PATH}/c"] << CONFIG
    objects = Objects(await connect(str(kmock.url)))
    assert await objects.apply(CONFIG) == CONFIG
    (request,) = list(kmock[f"patch {PATH}/c"])
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert dict(request.params) == {"fieldManager": "remoe-operator", "force": "true"}
    assert request.data == CONFIG


async def test_lists_carry_selectors_and_each_object_its_kind(kmock, connect):
    kmock[f"get {PATH}"] << {"items": [{"metadata": {"name": "c"}}]}
    objects = Objects(await connect(str(kmock.url)))
    (found,) = await objects.list(CONFIG_MAP, "n", labels="a=b")
    assert (found["kind"], found["apiVersion"]) == ("ConfigMap", "v1")
    (request,) = list(kmock[f"get {PATH}"])
    assert dict(request.params) == {"labelSelector": "a=b"}


async def test_object_that_is_not_there_is_none_and_a_missing_right_is_named(kmock, connect):
    kmock[f"get {PATH}/gone"] << 404
    said = 'User "me" cannot get resource "configmaps" in API group "" in the namespace "n"'
    kmock[f"get {PATH}/hidden"] << 403 << {"message": said}
    objects = Objects(await connect(str(kmock.url)))
    assert await objects.get(CONFIG_MAP, "n", "gone") is None
    with pytest.raises(ForbiddenError, match="me lacks the right to get configmaps in namespace n"):
        await objects.get(CONFIG_MAP, "n", "hidden")
    with pytest.raises(NotFoundError):
        await (await connect(str(kmock.url))).request("get", f"{PATH}/gone")


async def test_server_that_does_not_answer_is_given_up_on(connect):
    server = await asyncio.start_server(lambda *_: asyncio.sleep(30), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    connection = await connect(f"http://{host}:{port}", timeout_seconds=0.2)
    with pytest.raises(UnreachableError, match="no answer"):
        await connection.request("get", PATH)
    server.close()


async def test_server_that_is_not_there_is_said_so(connect):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = unused.getsockname()
        connection = await connect(f"http://{address[0]}:{address[1]}")
        with pytest.raises(UnreachableError, match="no answer"):
            await connection.request("get", PATH)


async def test_answer_that_is_no_json_is_unreachable_too(kmock, connect):
    kmock[f"get {PATH}/c"] << 200 << b"<html>"
    with pytest.raises(UnreachableError):
        await (await connect(str(kmock.url))).request("get", f"{PATH}/c")
