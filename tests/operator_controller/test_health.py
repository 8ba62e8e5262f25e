"""Health is told of what the operator is for, from a thread of its own."""

from __future__ import annotations

import httpx
import pytest

from remoe_operator.controller.metrics import Metrics
from remoe_operator.controller.pulse import Patience, Pulse
from remoe_operator.controller.telling import telling

PATIENCE = Patience(beat_seconds=10, resync_seconds=100, overdue_seconds=50, watch_seconds=70)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pulse(clock):
    return Pulse(PATIENCE, clock=clock)


def test_all_is_well_to_begin_with(pulse):
    assert pulse.ailment() is None


def test_loop_that_stands_still_is_an_ailment(pulse, clock):
    clock.now = 11.0
    assert "event loop" in pulse.ailment()
    pulse.beat(0.0)
    assert pulse.ailment() is None


def test_services_that_nobody_looks_at_are_an_ailment(pulse, clock):
    clock.now = 101.0
    pulse.beat(0.0)
    assert "last looked at 101 s ago" in pulse.ailment()
    pulse.resynced({})
    assert pulse.ailment() is None


def test_pass_that_nobody_makes_is_an_ailment(pulse):
    pulse.beat(51.0)
    assert "due for 51 s" in pulse.ailment()


def test_watch_that_fell_silent_is_an_ailment(pulse, clock):
    pulse.watched("n/a", "1")
    for clock.now in (10.0, 50.0, 90.0):
        pulse.beat(0.0)
        pulse.resynced({"n/a": "2"})
    assert "n/a for 80 s" in pulse.ailment()
    pulse.watched("n/a", "2")
    assert pulse.ailment() is None


def test_watch_that_is_just_behind_a_busy_service_is_none(pulse, clock):
    for version, moment in enumerate((10.0, 50.0, 90.0, 130.0)):
        clock.now = moment
        pulse.beat(0.0)
        pulse.resynced({"n/a": str(version)})
    assert pulse.ailment() is None


def test_service_that_went_is_no_ailment(pulse, clock):
    pulse.resynced({"n/a": "1"})
    clock.now = 90.0
    pulse.beat(0.0)
    pulse.resynced({})
    assert pulse.ailment() is None


def test_health_and_metrics_are_answered(pulse, clock):
    metrics = Metrics()
    metrics.watch(services=lambda: 3, queue=lambda: 2, age_seconds=pulse.seconds_since_pass)
    metrics.seconds.labels("service").observe(0.2)
    metrics.errors.labels("gateway", "Forbidden").inc()
    with telling(pulse, metrics.registry, host="127.0.0.1", port=0) as (host, port):
        base = f"http://{host}:{port}"
        assert httpx.get(f"{base}/health").status_code == 200
        told = httpx.get(f"{base}/metrics").text
        assert httpx.get(f"{base}/").status_code == 404
        clock.now = 11.0
        sick = httpx.get(f"{base}/health")
    assert (sick.status_code, "event loop" in sick.text) == (503, True)
    assert "remoe_operator_queue_length 2.0" in told
    assert "remoe_operator_services 3.0" in told
    assert "remoe_operator_last_success_age_seconds +Inf" in told
    assert 'remoe_operator_reconcile_seconds_count{kind="service"} 1.0' in told
    assert 'remoe_operator_reconcile_errors_total{kind="gateway",reason="Forbidden"} 1.0' in told
