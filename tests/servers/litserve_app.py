"""A LitServe app without weights, run by LitServe's own Python: `python -m tests.servers.litserve_app PORT PID_FILE`.

The model's name says how it answers; the worker that answers writes who it is into the file.
"""
# pyright: reportMissingImports=false

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import litserve

from tests.support.endpoint_wire import PIECES, USAGE


class Model(litserve.LitAPI):
    """Says the same to everybody."""

    def setup(self, device: str) -> None:
        """Loads nothing."""
        Path(sys.argv[2]).write_text(str(os.getpid()), "utf-8")

    def predict(self, request: Any, context: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The pieces, and with the last one what they cost."""
        for n, piece in enumerate(PIECES):
            if n == len(PIECES) // 2 and context["model"] == "raises":
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            yield {"role": "assistant", "content": piece, **(USAGE if piece is PIECES[-1] else {})}
            if context["model"] == "slow":
                time.sleep(0.4)


if __name__ == "__main__":
    server = litserve.LitServer(Model(spec=litserve.OpenAISpec()), accelerator="cpu", restart_workers=True)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
