"""A process that answers chat completions with transformers' `generate`, one at a time.

    python tests/evaluation/rivals/transformers_server.py --model DIR --port N [--threads N]

As little as lets the same client ask it as asks the others: stream on, greedy. It imports nothing
of Remoe. `generate` does all the work; a token's text is sent as soon as it has one (the library's
own TextStreamer waits for the end of a word, which would lengthen its time to the first text).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import torch
from tokenizers.decoders import DecodeStream
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.generation.streamers import BaseStreamer


class Pieces(BaseStreamer):
    """Hands on each token's text; `count` tokens came so far."""

    def __init__(self, tokenizer, tell: Callable[[str], None]) -> None:
        self.count = 0
        self._tokenizer = tokenizer.backend_tokenizer
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._tell = tell
        self._prompt_is_next = True

    def put(self, value) -> None:
        if self._prompt_is_next:
            self._prompt_is_next = False
            return
        self.count += 1
        if text := self._decoder.step(self._tokenizer, int(value)):
            self._tell(text)

    def end(self) -> None:
        """Nothing is held back that would be whole now."""


class Generator:
    """A model in memory and its tokenizer."""

    def __init__(self, folder: Path, experts: str) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.bfloat16,
            attn_implementation="sdpa",
            experts_implementation=experts,
        ).eval()
        self._model.generation_config.eos_token_id = None  # answers are as long as was asked

    def answer(self, asked: dict, tell: Callable[[str], None]) -> dict:
        """Tell an answer piece by piece; its usage."""
        inputs = self._tokenizer.apply_chat_template(
            asked["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        pieces = Pieces(self._tokenizer, tell)
        self._model.generate(
            **inputs, max_new_tokens=asked["max_tokens"], do_sample=False, streamer=pieces
        )
        return {
            "prompt_tokens": inputs["input_ids"].shape[1],
            "completion_tokens": pieces.count,
            "total_tokens": inputs["input_ids"].shape[1] + pieces.count,
        }


def handler_of(generator: Generator) -> type[BaseHTTPRequestHandler]:
    """A handler that asks this generator; an answer ends where its connection does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._head("application/json")
            self.wfile.write(b'{"status": "ok"}')

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._head("text/event-stream")
            usage = generator.answer(asked, self._piece)
            self._event({"choices": [], "usage": usage})
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, *parts: object) -> None:
            """Questions are no news."""

        def _head(self, content_type: str) -> None:
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.end_headers()

        def _piece(self, text: str) -> None:
            self._event({"choices": [{"index": 0, "delta": {"content": text}}]})

        def _event(self, fields: dict) -> None:
            head = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "x"}
            self.wfile.write(f"data: {json.dumps(head | fields)}\n\n".encode())
            self.wfile.flush()

    return Handler


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--experts", default="grouped_mm", help="or eager, batched_mm")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = Generator(options.model, options.experts)
    HTTPServer(("127.0.0.1", options.port), handler_of(generator)).serve_forever()


if __name__ == "__main__":
    main()
