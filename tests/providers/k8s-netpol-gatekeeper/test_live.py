"""The published schemas take the objects, and both programs judge real pods alike."""

import json

import msgspec
import pytest

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.providers.kernel.k8s_netpol_gatekeeper import programs, provider, target
from tappass_host.providers.kernel.k8s_netpol_gatekeeper.conformance import SETTINGS
from tappass_host.sdk.kit.reference import REFERENCE
from tappass_host.sdk.kit.written import files

pytestmark = pytest.mark.live


@pytest.mark.parametrize("name", REFERENCE)
def test_the_schemas_take_every_object(name):
    pytest.importorskip("kubernetes_validate")
    for capabilities in SETTINGS.capabilities:
        config = provider.render(EffectivePolicy(REFERENCE[name]), capabilities)
        assert target.validate(files(config)) == []


def test_the_schemas_refuse_what_they_do_not_know():
    pytest.importorskip("kubernetes_validate")
    bad = b"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x}\nspec: {podSelector: {}, egres: []}\n"
    assert target.validate({"state/k8s/x.yaml": bad})


SOUND = {"runAsUser": 1000, "runAsGroup": 1000, "readOnlyRootFilesystem": True}


def pod(*containers, added="containers", **of_pod):
    whole = [{"name": "main", "securityContext": SOUND}]
    body = {"containers": whole, "securityContext": of_pod}
    body[added] = [*(whole if added == "containers" else []), *containers]
    return {"spec": body}


def container(mounts=(), devices=(), **context):
    made = {"name": "other", "securityContext": {**SOUND, **context}}
    if mounts:
        made["volumeMounts"] = list(mounts)
    if devices:
        made["volumeDevices"] = list(devices)
    return made


def mount(path, **more):
    return {"name": "v", "mountPath": path, **more}


BARE = {"name": "other"}
NO_USER = {"name": "other", "securityContext": {"readOnlyRootFilesystem": True}}
# Pod -> the checks that refuse it.
PODS = {
    "a sound pod": (pod(), set()),
    "another user": (pod(container(runAsUser=1001)), {"user"}),
    "root": (pod(container(runAsUser=0)), {"user"}),
    "another group": (pod(container(runAsGroup=0)), {"group"}),
    "the pod's user": (pod(NO_USER, runAsUser=1000, runAsGroup=1000), set()),
    "the pod's user is another": (pod(NO_USER, runAsUser=1, runAsGroup=1000), {"user"}),
    "the container's own user counts": (pod(container(runAsUser=1000), runAsUser=5, runAsGroup=5), set()),
    "nobody names a user": (pod(NO_USER), {"user", "group"}),
    "nothing named at all": (pod(BARE), {"user", "group", "root"}),
    "a writable root": (pod(container(readOnlyRootFilesystem=False)), {"root"}),
    "a container that prepares": (pod(container(runAsUser=7), added="initContainers"), {"user"}),
    "a container that is added later": (pod(BARE, added="ephemeralContainers"), {"user", "group", "root"}),
    "a volume in a granted folder": (pod(container([mount("/ws/a/b")])), set()),
    "a volume at a granted folder": (pod(container([mount("/ws")])), set()),
    "a volume elsewhere": (pod(container([mount("/etc")])), {"mounts"}),
    "a volume elsewhere to read": (pod(container([mount("/etc", readOnly=True)])), set()),
    "a volume that looks alike": (pod(container([mount("/wsx")])), {"mounts"}),
    "a volume that climbs": (pod(container([mount("/ws/../etc")])), {"mounts"}),
    "a relative mount path": (pod(container([mount("ws")])), {"mounts"}),
    "one of two volumes": (pod(container([mount("/ws"), mount("/var")])), {"mounts"}),
    "a raw device": (pod(container(devices=[{"name": "d", "devicePath": "/dev/x"}])), {"mounts"}),
}


@pytest.mark.parametrize(("given", "refused"), PODS.values(), ids=PODS)
def test_expressions(given, refused):
    cel = pytest.importorskip("cel_expr_python.cel")
    env = cel.NewEnv(variables={"object": cel.Type.DYN, "variables": cel.Type.DYN})
    containers = json.loads(str(env.compile(programs.CONTAINERS).eval(data={"object": given}).value()))
    variables = {"containers": containers, "user": 1000, "group": 1000, "writable": ["/ws"]}
    for check, program in programs.CEL.items():
        verdict = env.compile(program.expression).eval(data={"object": given, "variables": variables}).value()
        assert verdict is (check not in refused), check


MESSAGES = {"runAsUser": "user", "runAsGroup": "group", "the root": "root", "volume": "mounts"}


@pytest.mark.parametrize(("given", "refused"), PODS.values(), ids=PODS)
def test_module(given, refused):
    regopy = pytest.importorskip("regopy")
    rego = regopy.Interpreter()
    rego.add_module("tappass", programs.REGO)
    parameters = {"runAsUser": 1000, "runAsGroup": 1000, "readOnlyRoot": True, "writable": ["/ws"]}
    rego.set_input({"review": {"object": given}, "parameters": parameters})
    found = json.loads(str(rego.query("data.tappass.violation")))["expressions"][0]
    assert isinstance(found, list)
    said = {check for item in found for word, check in MESSAGES.items() if word in item["msg"]}
    assert said == refused


def test_the_module_demands_only_what_it_is_given():
    regopy = pytest.importorskip("regopy")
    rego = regopy.Interpreter()
    rego.add_module("tappass", programs.REGO)
    rego.set_input({"review": {"object": pod(BARE)}, "parameters": {}})
    assert json.loads(str(rego.query("data.tappass.violation")))["expressions"][0] == []


@pytest.mark.parametrize("text", ["/ws", '/ws/"', "/ws/'", "/ws/é", "/ws/${x}", "/ws/', true) || ('"])
def test_a_variable_is_its_value(text):
    cel = pytest.importorskip("cel_expr_python.cel")
    env = cel.NewEnv(variables={"given": cel.Type.DYN})
    expression = msgspec.json.encode([text]).decode()
    assert env.compile(f"given == {expression}").eval(data={"given": [text]}).value() is True
