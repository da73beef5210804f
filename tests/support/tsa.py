"""A time-stamping authority of the tests: the real `openssl ts` behind a little HTTP server."""

import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONFIG = """
oid_section = oids
[oids]
policy = 1.2.3.4.1
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
signer_digest = sha256
default_policy = policy
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """One authority with its own root."""

    url: str
    root: Path
    """Its root certificate in PEM."""
    asked: list[int]
    """How large each question was."""


def _run(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def _make(folder: Path) -> None:
    """A root and a certificate for time stamps under it."""
    config = folder / "openssl.cnf"
    config.write_text(CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    for name in ("root", "leaf"):
        _run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / f"{name}.key")
    root = ("-x509", "-days", "3650", "-subj", "/CN=Test root", "-extensions", "root")
    _run("req", "-new", "-config", config, "-key", folder / "root.key", *root, "-out", folder / "root.pem")
    _run(
        "req",
        "-new",
        "-config",
        config,
        "-key",
        folder / "leaf.key",
        "-subj",
        "/CN=Test TSA",
        "-out",
        folder / "leaf.csr",
    )
    signed = ("-CA", folder / "root.pem", "-CAkey", folder / "root.key", "-CAcreateserial", "-days", "3000")
    _run(
        "x509", "-req", "-in", folder / "leaf.csr", *signed, "-extfile", config, "-extensions", "leaf", "-out", folder / "leaf.pem"
    )  # fmt: skip


@contextmanager
def authority(folder: Path) -> Iterator[Authority]:
    """Answers queries until the block ends."""
    folder.mkdir(parents=True)
    _make(folder)
    asked: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["content-length"]))
            asked.append(len(query))
            (folder / "query.tsq").write_bytes(query)
            reply = folder / "reply.tsr"
            key = ("-inkey", folder / "leaf.key", "-signer", folder / "leaf.pem")
            _run("ts", "-reply", "-config", folder / "openssl.cnf", "-queryfile", folder / "query.tsq", *key, "-out", reply)  # fmt: skip
            data = reply.read_bytes()
            self.send_response(200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Authority(f"http://127.0.0.1:{server.server_port}/tsr", folder / "root.pem", asked)
        server.shutdown()
