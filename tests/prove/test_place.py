"""Where a statement was said, as a table shows it."""

from types import SimpleNamespace

import pytest

from tappass_host.prove.report import place


@pytest.mark.parametrize(
    ("provenance", "shown"),
    [
        ("org org.yaml:41:7", "org:41"),
        ("org preset:standard.yaml:82:7", "org:82"),
        ("runtime self-protection", "runtime"),
        ("", ""),
    ],
)
def test_place(provenance, shown):
    assert place(SimpleNamespace(provenance=provenance)) == shown
