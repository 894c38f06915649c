"""What the tests about levels share: one head, the shipped catalogue, and short ways to compose."""

import pytest

from tappass_host.policy.authored import load_level
from tappass_host.policy.cascade import Head, compose
from tappass_host.policy.catalogue import shipped_catalogue
from tappass_host.policy.model import ASPECTS
from tappass_host.policy.statements import statements

HEAD = Head(
    version=1,
    issued_at="2026-01-01T00:00:00Z",
    not_before="2026-01-01T00:00:00Z",
    expires_at="2026-04-01T00:00:00Z",
)


@pytest.fixture
def head():
    return HEAD


@pytest.fixture(scope="session")
def catalogue():
    return shipped_catalogue()


@pytest.fixture
def author():
    """`author("org", text)`: a level; an org level says `unmanaged` of every aspect it does not name."""

    def write(kind, text, *, file=None, ident=None, complete=True):
        lines = [f"level: {kind}", f"id: {ident or kind}", text]
        if kind == "org" and complete and "extends:" not in text:
            said = {line.partition(":")[0] for line in text.splitlines()}
            lines += [f"{aspect}: unmanaged" for aspect in ASPECTS if aspect not in said]
        return load_level("\n".join(lines).encode(), source=file or f"{kind}.yaml")

    return write


@pytest.fixture
def cascade(author, head, catalogue):
    """`cascade(org=..., project=..., agent=...)`: the composed policy and findings."""

    def run(**levels):
        authored = [author(kind, text) for kind, text in levels.items()]
        return compose(authored, head=head, catalogue=catalogue)

    return run


@pytest.fixture
def says(cascade):
    """The ids of all statements of a composed policy, the head's apart."""

    def run(**levels):
        policy = cascade(**levels).policy
        return {s.id for s in statements(policy) if not s.id.startswith("head.")}

    return run
