"""Audit records: canonical JSON Lines in a hash chain, with signed checkpoints."""
