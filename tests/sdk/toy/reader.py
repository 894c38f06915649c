"""Reads a toy file: a deny wins, then the longest path; what lies above a rule cannot be moved."""

from tappass_host.policy.actions import File
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import RenderError
from tappass_host.sdk.reader import Ruling

KEYS = {"format", "default", "read", "write", "deny"}


def read(artifacts):
    (rules,) = artifacts
    doc = rules.doc
    if set(doc) - KEYS or doc["format"] != 1:
        raise RenderError("not a toy file")
    return Native(doc)


class Native:
    def __init__(self, doc):
        self.doc = doc
        self.rules = [(key, path) for key in ("deny", "read", "write") for path in doc.get(key, ())]

    def permits(self, action):
        if not isinstance(action, File):
            return None
        if action.op != "move":
            return self.touch(action.path, action.op)
        rulings = [self.touch(action.path, "write"), self.touch(action.to, "write")]
        for key, path in self.rules:
            if key != "write" and within(path, action.path):
                rulings.append(Ruling(Effect.DENY, f"rules#/{key}[{path}]"))
        return max(rulings, key=lambda r: r.effect.strictness)

    def touch(self, path, op):
        found = [(key, rule) for key, rule in self.rules if within(path, rule)]
        for key, rule in found:
            if key == "deny":
                return Ruling(Effect.DENY, f"rules#/deny[{rule}]")
        if found:
            key, rule = max(found, key=lambda kr: (rule_depth(kr[1]), kr[0] == "read"))
            allowed = op == "read" or key == "write"
            return Ruling(Effect.ALLOW if allowed else Effect.DENY, f"rules#/{key}[{rule}]")
        default = self.doc.get("default", "allow")
        allowed = default == "allow" or (default == "read_only" and op == "read")
        return Ruling(
            Effect.ALLOW if allowed else Effect.DENY, "rules#/default" if "default" in self.doc else ""
        )


def rule_depth(rule):
    return len([part for part in rule.split("/") if part])


def within(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")
