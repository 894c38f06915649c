"""One folder for each target, all of one shape: `provider.py`, `reader.py`, README, all pure.

`provider.render` writes the target's own configuration; `reader.read` reads it back, by the vendor's rules
and without the provider's help.
"""
