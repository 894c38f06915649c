"""Mistakes that a change of the provider could make: the kit finds every one of them."""

import pytest

from tappass_host.policy.errors import GrammarError
from tappass_host.providers.interpreter.monty import provider
from tappass_host.providers.interpreter.monty.conformance import SETTINGS
from tappass_host.sdk.document import Doc
from tappass_host.sdk.kit.compare import compare
from tappass_host.sdk.kit.reference import PROBING, REFERENCE
from tappass_host.sdk.kit.subject import Subject
from tappass_host.sdk.kit.universe import actions

PACKAGE = "tappass_host.providers.interpreter.monty"


def failures():
    """What the kit says, over all reference policies."""
    subject = Subject(f"{PACKAGE}.provider", f"{PACKAGE}.reader", SETTINGS)
    acts = actions(subject.surfaces)
    return [
        finding
        for name in (*REFERENCE, *PROBING)
        for rendered in subject.reference(name)
        for finding in compare(rendered, acts).failures
    ]


def without_entries(*pointers):
    """Entries at these places are credited and not written."""
    add = Doc.add

    def forgetful(self, pointer, value, *, by):
        return self.ensure(pointer, by=by) if pointer in pointers else add(self, pointer, value, by=by)

    return lambda patch: patch.setattr(Doc, "add", forgetful)


def writable_mounts(patch):
    add = Doc.add

    def wider(self, pointer, value, *, by):
        if pointer == "/mounts":
            value = {**value, "mode": "rw", "write_bytes": 1}
        return add(self, pointer, value, by=by)

    patch.setattr(Doc, "add", wider)


def unconstrained(patch):
    add = Doc.add

    def free(self, pointer, value, *, by):
        if pointer == "/host_functions":
            value = {"name": value["name"]}
        return add(self, pointer, value, by=by)

    patch.setattr(Doc, "add", free)


def open_imports(patch):
    ensure, add = Doc.ensure, Doc.add
    place = "/imports/allow"
    patch.setattr(
        Doc, "ensure", lambda self, at, *, by: ensure(self, "/imports/deny" if at == place else at, by=by)
    )
    patch.setattr(
        Doc,
        "add",
        lambda self, at, value, *, by: (
            ensure(self, "/imports/deny", by=by) if at == place else add(self, at, value, by=by)
        ),
    )


MUTANTS = {
    "denied modules forgotten": without_entries("/imports/deny"),
    "denied hosts forgotten": without_entries("/network/deny"),
    "folders forgotten": without_entries("/mounts"),
    "read-only folders writable": writable_mounts,
    "constraints forgotten": unconstrained,
    "every module": open_imports,
    "larger limits": lambda patch: patch.setattr(provider, "MEGABYTE", 1 << 21),
    "grants that hold something denied": lambda patch: patch.setattr(
        provider, "FS", provider.FS._replace(nesting="layered")
    ),
}


def test_without_a_mistake_there_is_nothing_to_find():
    assert failures() == []


@pytest.mark.parametrize("mutate", MUTANTS.values(), ids=MUTANTS)
def test_it_is_found(mutate, monkeypatch):
    mutate(monkeypatch)
    try:
        assert failures()
    except GrammarError as error:  # the runner's own decoder may see it first
        assert "overlap" in str(error)  # noqa: PT017
