"""Drivers: each runs one real target through a script of actions and says what became of each."""

from tappass_host.prove.drivers.verdict import Kind, Verdict

__all__ = ["Kind", "Verdict"]
