"""Processes that traffic goes through: the egress proxy, and the bridge that leads to it from a sandbox.

They run from what their providers render, and import nothing of the compiler.
"""
