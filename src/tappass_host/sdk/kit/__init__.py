"""The conformance kit: what a provider package runs against itself, in or out of this tree, with one line."""
