"""A FastChat worker without weights, run by FastChat's own Python: `python -m tests.servers.fastchat_worker PORT CONTROLLER_PORT`.

The model's name says how it answers. What it sends is what FastChat's own `model_worker` sends; its tokens are characters.
"""
# pyright: reportMissingImports=false

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastchat.constants import SERVER_ERROR_MSG, ErrorCode
from fastchat.conversation import Conversation, get_conv_template
from fastchat.serve import base_model_worker

from tests.support.endpoint_wire import PIECES

CONTEXT = 1000
MODELS = [
    "plain",
    "slow",
    "raises",  # what model_worker expects: it says so in a piece of the answer
    "breaks",  # what it does not: the connection to the API server breaks
    "no-reason",  # as sglang_worker, which knows no finish reason
]


class Worker(base_model_worker.BaseModelWorker):
    """Says the same to everybody."""

    def make_conv_template(self, conv_template: str | None = None, model_path: str | None = None) -> Conversation:
        """The plainest one: it needs no adapter of a model."""
        return get_conv_template("raw")

    def count_token(self, params: dict[str, Any]) -> dict[str, int]:
        """One for each character."""
        return {"count": len(params["prompt"]), "error_code": 0}

    def generate_stream_gate(self, params: dict[str, Any]) -> Iterator[bytes]:
        """The text so far, again and again, each ended by a zero byte."""
        try:
            yield from self._pieces(params["model"], params["max_new_tokens"])
        except (ValueError, RuntimeError) as error:
            yield _piece(f"{SERVER_ERROR_MSG}\n\n({error})", error_code=ErrorCode.INTERNAL_ERROR)

    def _pieces(self, model: str, max_tokens: int) -> Iterator[bytes]:
        text = ""
        for n, piece in enumerate(PIECES):
            if n == len(PIECES) // 2 and model == "raises":
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            if n == len(PIECES) // 2 and model == "breaks":
                raise OSError("the disk is gone")
            text += piece
            yield _piece(text[:max_tokens])
            if len(text) > max_tokens:
                break
            if model == "slow":
                time.sleep(0.4)
        if model != "no-reason":
            yield _piece(text[:max_tokens], "length" if len(text) > max_tokens else "stop")


def _piece(text: str, finish: str | None = None, error_code: int = 0) -> bytes:
    usage = {"prompt_tokens": 7, "completion_tokens": len(text), "total_tokens": 7 + len(text)}
    return (
        json.dumps({"text": text, "error_code": error_code, "usage": usage, "finish_reason": finish}).encode() + b"\0"
    )


if __name__ == "__main__":
    port, controller_port = sys.argv[1:]
    worker = Worker(
        controller_addr=f"http://127.0.0.1:{controller_port}",
        worker_addr=f"http://127.0.0.1:{port}",
        worker_id="one",
        model_path="none",
        model_names=MODELS,
        limit_worker_concurrency=8,
    )
    worker.context_len = CONTEXT
    worker.init_heart_beat()
    uvicorn.run(base_model_worker.app, host="127.0.0.1", port=int(port), log_level="warning")
