"""A laboratory network: hosts that answer, and programs that try to reach them, all on one loopback.

`Lab.run` starts `lab_inner.py` in private mount and network namespaces. Every name of the laboratory resolves
(by its own /etc/hosts) to an address that is not local, and an HTTP server answers there, so that whether a
connection works depends on the policy alone. Nothing of it can leave the machine.
"""

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tappass_host.policy.errors import MissingTargetError
from tappass_host.policy.grammar.addresses import canonical_ip
from tappass_host.prove.sandbox import Completed, run_mapped

# TEST-NET-3 (RFC 5737): never routed, and not one of the ranges that `network.local` is about.
UPSTREAM = "203.0.113.10"
MODEL = "203.0.113.20"
METADATA = "169.254.169.254"
MODEL_HOST = "api.anthropic.com"
HTTP = 80
HTTPS = 443

_INNER = Path(__file__).with_name("lab_inner.py")
_STARTER = Path(__file__).with_name("start_inner.py")


class Command(NamedTuple):
    """One program to run in the laboratory.

    Attributes:
        argv: absolute program and arguments.
        env: the whole environment.
        cwd: working folder.
        stdin: what it reads.
        fds: descriptor -> file opened read-only on it.
        rlimits: resource name -> limit.
        timeout: seconds.
        background: started before the others and ended after them; its first line of output says it is ready.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    stdin: str = ""
    fds: Mapping[str, str] = {}
    rlimits: Mapping[str, int] = {}
    timeout: float = 30.0
    background: bool = False


class Lab(NamedTuple):
    """What the laboratory looks like.

    Attributes:
        hosts: names that resolve and answer.
        ports: ports they answer on.
        binds: target path -> file or folder shown there.
        model_socket: unix socket of the scripted model, reached as `https://api.anthropic.com`.
        certificate: PEM file with the key and certificate that it shows there.
    """

    hosts: tuple[str, ...]
    ports: tuple[int, ...] = (HTTP,)
    binds: Mapping[str, Path] = {}
    model_socket: Path | None = None
    certificate: Path | None = None

    def run(self, commands: Iterable[Command], *, timeout: float = 120.0) -> list[Completed]:
        """Run the commands in order; background ones first.

        Raises:
            MissingTargetError: this machine cannot make the namespaces, or the laboratory failed.
        """
        with tempfile.TemporaryDirectory(prefix="tappass-lab-") as scratch:
            hosts = Path(scratch) / "hosts"
            hosts.write_text(self._hosts(), encoding="ascii")
            order = {
                "servers": [
                    [address, port] for address in (UPSTREAM, METADATA, "127.0.0.1") for port in self.ports
                ],
                "model": self._model(),
                "starter": [sys.executable, "-I", "-S", str(_STARTER)],
                "commands": [c._asdict() for c in commands],
            }
            done = run_mapped(
                [sys.executable, "-I", "-S", str(_INNER)],
                binds={"/etc/hosts": hosts, **self.binds},
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                cwd=Path("/"),
                timeout=timeout,
                network=False,
                addresses=(UPSTREAM, MODEL, METADATA),
                stdin=json.dumps(order),
            )
        return _results(done)

    def _model(self) -> list[object] | None:
        if self.model_socket is None or self.certificate is None:
            return None
        return [MODEL, HTTPS, str(self.model_socket), str(self.certificate)]

    def _hosts(self) -> str:
        model = MODEL if self.model_socket else UPSTREAM
        named = [host for host in self.hosts if canonical_ip(host) is None and host != MODEL_HOST]
        lines = ["127.0.0.1 localhost", f"{model} {MODEL_HOST}", *(f"{UPSTREAM} {host}" for host in named)]
        return "\n".join(lines) + "\n"


def _results(done: Completed) -> list[Completed]:
    try:
        return [Completed(**entry) for entry in json.loads(done.stdout)]
    except ValueError:
        why = done.stderr.strip()[-500:] or f"exit {done.rc}"
        raise MissingTargetError(f"the laboratory network did not come up: {why}") from None
