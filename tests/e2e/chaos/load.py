"""Clients that ask on and on, and remember all that they were answered, or were not."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx
from e2e.asking import ask
from e2e.waiting import until
from openai import OpenAI, OpenAIError

PROMPTS = ("Why is the sky blue?", "What do bees do in winter?")
ANSWER_TOKENS = 8
REQUEST_SECONDS = 240.0
# A client that was refused does not ask again at once, or one outage would count a thousand times.
PAUSE_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request that has ended; moments are those of time.monotonic().

    Attributes:
        failure: what was wrong with it, or None for an answer that came in full.
        account: Remoe's own part of the usage.
    """

    begun: float
    ended: float
    failure: str | None
    account: dict[str, Any]

    @property
    def seconds(self):
        return self.ended - self.begun


class Load:
    """A few clients of the official library, each with one streamed request after another.

    They try nothing twice. An answer is one that came to its end, and is the text that the prompt
    was answered with at first, whoever computes it now.
    """

    def __init__(self, address, model, prompts=PROMPTS):
        self._streams = [_Stream(address, model, prompt) for prompt in prompts]

    def __enter__(self):
        for stream in self._streams:
            stream.start()
        return self

    def __exit__(self, *_):
        for stream in self._streams:
            stream.end()

    @contextlib.contextmanager
    def paused(self):
        """Nobody asks, and nobody waits for an answer."""
        for stream in self._streams:
            stream.going.clear()
        for stream in self._streams:
            until(stream.idle.is_set, REQUEST_SECONDS, "requests in flight have ended")
        yield
        for stream in self._streams:
            stream.going.set()

    def asked_since(self, moment):
        """Requests that had not ended at the moment, or came later, as far as they have ended."""
        return [a for stream in self._streams for a in list(stream.asked) if a.ended >= moment]

    def last_account(self):
        """Remoe's own part of the usage of the newest answer."""
        return max(self.asked_since(0), key=lambda asked: asked.ended).account

    def wait_answered(self, seconds):
        """Every client gets an answer to a request that begins from now on."""
        begun = time.monotonic()

        def answered(stream):
            return any(a.begun >= begun and not a.failure for a in list(stream.asked))

        what = "all clients are answered again"
        until(lambda: all(map(answered, self._streams)), seconds, what, state=self._failures)

    def _failures(self):
        return "\n".join(a.failure for a in self.asked_since(0) if a.failure)


class _Stream:
    """One client with one request at a time."""

    def __init__(self, address, model, prompt):
        self._address, self._model, self._prompt = address, model, prompt
        self._text, self._ended = None, threading.Event()
        self.going, self.idle, self.asked = threading.Event(), threading.Event(), []
        self.going.set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.start = self._thread.start

    def end(self):
        self._ended.set()
        self.going.set()
        self._thread.join(REQUEST_SECONDS + 10)

    def _run(self):
        with _client(self._address) as client:
            while not self._ended.is_set():
                if not self.going.is_set():
                    self.idle.set()
                    self.going.wait()
                    continue
                self.idle.clear()
                self.asked.append(asked := self._ask(client))
                self._ended.wait(PAUSE_SECONDS if asked.failure else 0)

    def _ask(self, client):
        begun, failure, account = time.monotonic(), None, {}
        try:
            answer = ask(client, self._model, self._prompt, max_tokens=ANSWER_TOKENS)
            account, failure = answer.account, self._wrong(answer)
        # A stream that breaks raises what lies below the library, which is httpx's.
        except (OpenAIError, OSError, httpx.HTTPError, AttributeError) as error:
            failure = f"{type(error).__name__}: {error}"
        return Asked(begun=begun, ended=time.monotonic(), failure=failure, account=account)

    def _wrong(self, answer):
        self._text = self._text or answer.text
        if answer.completion_tokens != ANSWER_TOKENS:
            return f"cut after {answer.completion_tokens} tokens: {answer.text!r}"
        if answer.text != self._text:
            return f"another answer: {answer.text!r} in place of {self._text!r}"
        return None


def _client(address):
    return OpenAI(
        base_url=f"http://{address}/v1", api_key="none", timeout=REQUEST_SECONDS, max_retries=0
    )
