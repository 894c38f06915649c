"""Proof on real targets: action corpus, scripted model, probes, controls, and recordings that are replayed.

It ships with the package, so that operators prove on their own machines what a matrix says of others.
"""
