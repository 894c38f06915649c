"""The cascade: org, project and agent levels to one Compiled Policy. A level may only narrow."""

from tappass_host.policy.cascade.compose import Composed, Head, compose

__all__ = ["Composed", "Head", "compose"]
