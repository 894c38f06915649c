"""What a policy is and what it means: model, grammar, canonical form, trust, cascade, statements, `decide`.

Imports nothing else of this project, and does no I/O. `decide(policy, action)` is what everything else is
tested against.
"""
