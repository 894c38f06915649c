"""One signed policy in; native, enforced, proven configuration for every agent runtime out."""

__version__ = "0.1.0"
