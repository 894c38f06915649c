"""The supervisor on a machine: verify, bind, apply, watch, expire."""
