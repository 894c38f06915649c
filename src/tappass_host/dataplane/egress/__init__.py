"""The egress proxy: makes `network.allow_domains` real for targets that know no domains.

HTTP CONNECT and plain HTTP forwarding for one sandbox, on a unix socket (the peer's uid is checked) or
on TCP (a token, declared weaker). TCP only: it carries no UDP. What it does not see: the inside of TLS,
and so domain fronting within an allowed server.
"""
