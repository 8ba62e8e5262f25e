"""Everybody comes at once, and the model sleeps."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e.asking import ask
from e2e.chaos.parts import IDLE_SECONDS

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]
HERD = 50
ANSWER_TOKENS = 2


def wakes(service):
    """How often its main model was woken, as its status tells."""
    parts = [e for e in service.status["scaling"] if e["part"].endswith("main")]
    return sum(e["before"] == 0 and e["after"] > 0 for e in parts)


def test_herd_wakes_a_sleeping_model_once(table, parts, client):
    service = parts.service
    service.wait_asleep(IDLE_SECONDS + 90)
    before, together = wakes(service), threading.Barrier(HERD)

    def one(_):
        together.wait()
        return ask(client, service.model, max_tokens=ANSWER_TOKENS)

    with table.fault(f"{HERD} requests at once to a sleeping model") as fault:
        with ThreadPoolExecutor(HERD) as herd:
            answers = list(herd.map(one, range(HERD)))
        mains = parts.pods("main")
        fault.heals(parts.well, "all is well", state=parts.describe)
        firsts = sorted(a.first_token_seconds for a in answers)
        fault.say(f"{len(answers)} of {HERD} answered, first tokens after {firsts[0]:.1f} "
                  f"to {firsts[-1]:.1f} s, {wakes(service) - before} wake")  # fmt: skip
    assert all(answer.completion_tokens == ANSWER_TOKENS for answer in answers)
    assert len({answer.text for answer in answers}) == 1
    assert len(mains) == 1
    assert wakes(service) - before == 1
