"""The provider of a toy target: a file of `default` and of paths to `read`, `write` and `deny`."""

from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Evidence, Reach
from tappass_host.sdk.contract import ProviderInfo
from tappass_host.sdk.lowering import FsFeatures, lower_fs

INFO = ProviderInfo(
    id="toy",
    position="kernel",
    target="toy",
    version="1",
    sdk="1.0",
    versions=("1.0",),
    effects={"rules": "live"},
    covers={"filesystem": ("exec",)},
    cannot={"tools": "sees no tools"},
)
PLACE = Reach("rules", ("exec",), "compulsory", Evidence("https://toy.example/rules", "2026-11-01"))
FEATURES = FsFeatures(nesting="layered", floor="nothing")
KEYS = {"read": "/read", "write": "/write", "deny": "/deny"}


def render(policy, target):
    b = Builder(INFO, policy, target)
    doc = b.doc("rules", root="etc", path="toy/rules.json")
    doc.set("/format", 1, by="what the target asks for")
    items = [told(item) for item in lower_fs(b.policy, FEATURES, b.know)]
    for item in b.lower(items, at=PLACE):
        emit(doc, item)
    return b.build()


def told(item):
    """A pattern became the paths that match it, and the folders above those cannot be moved."""
    return item._replace(fidelity="stricter") if item.op == "deny" and item.loss else item


def emit(doc, item):
    if item.op == "default":
        doc.set("/default", item.value, by=item)
    elif item.op in ("grant", "narrow", "deny", "pin"):
        doc.add(KEYS[item.value.access], str(item.value.path), by=item)
