"""Mistakes that a change of the provider could make: the kit finds every one of them."""

import pytest

from tappass_host.policy.errors import ProviderError
from tappass_host.providers.kernel.bubblewrap import inside, own_tmp, provider
from tappass_host.providers.kernel.bubblewrap.conformance import SETTINGS
from tappass_host.providers.kernel.bubblewrap.seccomp import filter_bytes
from tappass_host.sdk.kit.compare import compare
from tappass_host.sdk.kit.reference import PROBING, REFERENCE
from tappass_host.sdk.kit.subject import Subject
from tappass_host.sdk.kit.universe import actions

PACKAGE = "tappass_host.providers.kernel.bubblewrap"
RENDERING = provider._Rendering


def failures():
    """What the kit says of the first targets, over all reference policies."""
    subject = Subject(f"{PACKAGE}.provider", f"{PACKAGE}.reader", SETTINGS)
    acts = actions(subject.surfaces)
    return [
        finding
        for name in (*REFERENCE, *PROBING)
        for rendered in subject.reference(name)
        for finding in compare(rendered, acts).failures
    ]


def features(**changes):
    return lambda patch: patch.setattr(provider, "FS", provider.FS._replace(**changes))


def method(name, replacement):
    return lambda patch: patch.setattr(RENDERING, name, replacement)


def nothing_hidden(patch):
    patch.setattr(inside, "HIDDEN_INIT", ())


def unix_stays(patch):
    patch.setattr(provider, "filter_bytes", lambda arch, **more: filter_bytes(arch, **{**more, "unix": True}))


def masks_without_device(patch):
    patch.setattr(provider, "shut", lambda path, kind: [["--ro-bind", path, path]])


def writable_masks(patch):
    patch.setattr(provider, "shut", lambda path, kind: [["--tmpfs", path]])


def root_left_open(self, default):
    for flag, why in (inside.SEALED_DEV,):
        self._flag(flag, why)
    if default is not None:
        self.b.credit("args#/args[--unshare-user]", by=default)


def everything_writable(self, option, path, by):
    show(self, "--bind", path, by)


def env_with_hidden(self):
    env = real_env(self)
    node = self.policy.doc.credentials
    return {**env, **{name: provider.SecretRef("vault:x") for name in (node.hide_env if node else ())}}


show, mount, real_env = RENDERING._show, RENDERING._mount, RENDERING._env

MUTANTS = {
    "no pins": features(pinned=False),
    "narrowings forgotten": method("_mount", lambda self, item: item.op == "narrow" or mount(self, item)),
    "a root that can be written": method("_close", root_left_open),
    "read-only grants writable": method("_show", everything_writable),
    "masks that show what they hide": masks_without_device,
    "masks that can be written": writable_masks,
    "unix sockets stay": unix_stays,
    "a way round the inner filter": nothing_hidden,
    "hidden variables handed on": method("_env", env_with_hidden),
}


def test_without_a_mistake_there_is_nothing_to_find():
    assert failures() == []


@pytest.mark.parametrize("mutate", MUTANTS.values(), ids=MUTANTS)
def test_it_is_found(mutate, monkeypatch):
    mutate(monkeypatch)
    try:
        assert failures()
    except ProviderError as error:  # the builder may see it first
        assert "emitted nothing" in str(error)  # noqa: PT017


def test_the_private_tmp_is_where_the_policy_grants_it():
    assert own_tmp.shut("/tmp/x", "file") == [["--ro-bind", "/dev/null", "/tmp/x"]]
