"""Meets the real cluster: asks it for its version, and has objects looked at by the published schemas."""

import json
import os
import subprocess
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any, Final

from tappass_host.policy.errors import MissingTargetError
from tappass_host.sdk.target import Found

TIMEOUT_S: Final = 20
# Of these the cluster itself has the schema; the others come with Cilium and Gatekeeper.
BUILT_IN: Final = ("v1", "networking.k8s.io/v1", "admissionregistration.k8s.io/v1")
_SCHEMAS: Final = "kubernetes_validate"


def detect() -> Found | None:
    """The cluster that kubectl is configured for, if it answers."""
    program = which("kubectl")
    if program is None:
        return None
    real = str(Path(program).resolve())
    # Which cluster, and as whom, is in the caller's own configuration.
    env = {key: os.environ[key] for key in ("HOME", "KUBECONFIG") if key in os.environ}
    argv = [real, "version", "--output=json", f"--request-timeout={TIMEOUT_S // 2}s"]
    done = subprocess.run(
        argv, env={**env, "PATH": "/usr/bin:/bin"}, capture_output=True, check=False, timeout=TIMEOUT_S
    )
    try:
        version = json.loads(done.stdout)["serverVersion"]["gitVersion"]
    except (ValueError, KeyError, TypeError):
        return None
    return Found(str(version).removeprefix("v"), real)


def validate(files: Mapping[str, bytes]) -> list[str]:
    """What the published schemas object to, unknown fields included; custom resources are passed over.

    They know fields and types, not which words a field takes; `reader` knows those.

    Raises:
        MissingTargetError: the schemas are not here.
    """
    if find_spec(_SCHEMAS) is None:
        raise MissingTargetError(
            "no schemas of Kubernetes are installed for this Python",
            remedy="pip install kubernetes-validate",
        )
    import yaml

    schemas = import_module(_SCHEMAS)
    found: list[str] = []
    for name, data in files.items():
        document = yaml.safe_load(data)
        if document["apiVersion"] in BUILT_IN:
            found += [f"{name}: {fault}" for fault in _faults(schemas, document)]
    return found


def _faults(schemas: Any, document: dict[str, Any]) -> list[str]:
    try:
        schemas.validate(document, schemas.latest_version(), strict=True)
    except schemas.ValidationError as error:
        return [str(error.message)]
    return []
