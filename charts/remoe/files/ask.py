"""What `helm test` runs: the operator is well, and each model of one gateway completes a prompt.

OPERATOR and GATEWAY are their addresses; PROMPT, TIMEOUT_SECONDS and API_KEY say how to ask. Exits
with 0 if all is well, and also where there is no gateway yet, having said so.
"""

from __future__ import annotations

import os
import socket
import sys
from urllib.parse import urlsplit

import httpx

CONNECT_SECONDS = 10


def say(text: str) -> None:
    """One line of the test's log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def operator_is_well(address: str) -> bool:
    """Whether it says so itself."""
    answer = httpx.get(f"{address}/health", timeout=CONNECT_SECONDS)
    say(f"operator: {answer.status_code} {answer.text.strip()[:200]}")
    return answer.status_code == httpx.codes.OK


def exists(address: str) -> bool:
    """Whether the name is known; a cluster forgets it when the last MoEService goes."""
    try:
        socket.getaddrinfo(urlsplit(address).hostname, 80)
    except socket.gaierror as error:
        # A name server that cannot be reached is a fault; a name that it does not know is not.
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            return False
        raise
    return True


def completes(client: httpx.Client, model: str, prompt: str) -> bool:
    """Whether the model answers with at least one token."""
    answer = client.post(
        "/v1/chat/completions",
        json={"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 16},
    )
    if answer.status_code != httpx.codes.OK:
        say(f"{model}: {answer.status_code} {answer.text[:500]}")
        return False
    body = answer.json()
    text = body["choices"][0]["message"]["content"]
    say(f"{model}: {body['usage']['completion_tokens']} tokens: {text!r}")
    return int(body["usage"]["completion_tokens"]) > 0


def models(client: httpx.Client) -> list[str]:
    """Those that the gateway serves."""
    answer = client.get("/v1/models")
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        sys.exit("the gateway asks for an API key: name one in the chart's test.keySecret")
    answer.raise_for_status()
    return [model["id"] for model in answer.json()["data"]]


def main() -> int:
    """Ask all; the exit status."""
    if not operator_is_well(os.environ["OPERATOR"]):
        return 1
    gateway = os.environ["GATEWAY"]
    if not exists(gateway):
        say(f"{gateway} does not exist: no MoEService is in that namespace, so none was asked")
        return 0
    key = os.environ.get("API_KEY")
    timeout = httpx.Timeout(float(os.environ["TIMEOUT_SECONDS"]), connect=CONNECT_SECONDS)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=gateway, timeout=timeout, headers=headers) as client:
        served = models(client)
        say(f"{gateway} serves {', '.join(served) or 'no model yet'}")
        answers = [completes(client, model, os.environ["PROMPT"]) for model in served]
    return 0 if all(answers) else 1


if __name__ == "__main__":
    sys.exit(main())
