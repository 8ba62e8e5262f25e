"""Bytes go both ways through a tunnel, as they come, and each connection finds a ready gateway."""

import socket
import threading
from contextlib import closing
from types import SimpleNamespace

import pytest

from remoe_functions.cli.cluster.tunnel import tunnel
from remoe_functions.cli.failure import CommandError

SECONDS = 20


def gateway(name, *, ready=True, leaving=False):
    condition = SimpleNamespace(type="Ready", status=str(ready))
    return SimpleNamespace(
        metadata=SimpleNamespace(name=name, deletion_timestamp="now" if leaving else None),
        status=SimpleNamespace(conditions=[condition]),
    )


class Cluster:
    """Pods, and what forwards to them: here the other end of a pair of sockets."""

    namespace = "models"

    def __init__(self, *pods):
        self.listed = pods
        self.ends = []
        self.came = threading.Semaphore(0)

    def pods(self, selector):
        return self.listed

    def forward(self, pod, port):
        ours, theirs = socket.socketpair()
        theirs.settimeout(SECONDS)
        self.ends.append((pod, theirs))
        self.came.release()
        return ours


def connected(url):
    host, port = url.removeprefix("http://").split(":")
    return closing(socket.create_connection((host, int(port)), timeout=SECONDS))


def test_bytes_go_both_ways_as_they_come():
    cluster = Cluster(gateway("a"))
    with tunnel(cluster) as url, connected(url) as near:
        near.sendall(b"question")
        assert cluster.came.acquire(timeout=SECONDS)
        _, far = cluster.ends[0]
        assert far.recv(100) == b"question"
        for piece in (b"first", b"second"):
            far.sendall(piece)
            assert near.recv(100) == piece
        far.close()
        assert near.recv(100) == b""


def test_client_that_leaves_closes_the_other_end():
    cluster = Cluster(gateway("a"))
    with tunnel(cluster) as url:
        with connected(url) as near:
            near.sendall(b"x")
        assert cluster.came.acquire(timeout=SECONDS)
        _, far = cluster.ends[0]
        assert far.recv(100) == b"x"
        assert far.recv(100) == b""
        far.close()


def test_each_connection_goes_to_a_gateway_that_is_ready_then():
    cluster = Cluster(gateway("starting", ready=False), gateway("first"))
    with tunnel(cluster) as url:
        with connected(url):
            assert cluster.came.acquire(timeout=SECONDS)
        cluster.listed = (gateway("first", leaving=True), gateway("second"))
        with connected(url):
            assert cluster.came.acquire(timeout=SECONDS)
    assert [pod for pod, _ in cluster.ends] == ["first", "second"]
    for _, far in cluster.ends:
        far.close()


def test_connection_without_a_gateway_is_closed_and_the_next_one_served():
    cluster = Cluster(gateway("a"))
    with tunnel(cluster) as url:
        cluster.listed = ()
        with connected(url) as near:
            assert near.recv(100) == b""
        cluster.listed = (gateway("b"),)
        with connected(url):
            assert cluster.came.acquire(timeout=SECONDS)
    cluster.ends[0][1].close()


def test_no_tunnel_is_opened_where_no_gateway_is_ready():
    with (
        pytest.raises(CommandError, match="no gateway is ready in namespace models: 1 of its pods"),
        tunnel(Cluster(gateway("a", leaving=True))),
    ):
        pass
