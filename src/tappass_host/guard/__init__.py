"""Enforcement inside Python programs whose frameworks have no configuration to render."""
