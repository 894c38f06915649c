"""What every sandbox has inside, whatever the policy says, and why."""

from typing import Final

# Where the egress proxy's socket and the bridge that leads to it are bound. The sandbox's own /dev is the one
# place where a mount point can always be made: the root may be the host's, and read-only.
SOCKET: Final = "/dev/tappass/egress.sock"
BRIDGE: Final = "/dev/tappass/bridge.py"
PROXY_PORT: Final = 3128
PROXY_URL: Final = f"http://127.0.0.1:{PROXY_PORT}"
PROXY_VARIABLES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "http_proxy", "https_proxy")
# Descriptors that the launcher opens for bwrap and the bridge; any free numbers would do.
ARGS_FD: Final = 10
FILTER_FD: Final = 11
INNER_FILTER_FD: Final = 12

HARDENING: Final = (
    ("--unshare-user", "capabilities inside are over nothing of the host"),
    ("--unshare-ipc", "no shared memory with the host"),
    ("--unshare-pid", "no view of, and no signal to, processes of the host"),
    ("--unshare-uts", "no host name of the host"),
    ("--unshare-cgroup-try", "no view of the host's cgroups"),
    ("--disable-userns", "no nested user namespace, so no mounts by the agent"),
    ("--die-with-parent", "ends with whoever launched it"),
    ("--new-session", "cannot push keystrokes into the caller's terminal (TIOCSTI, CVE-2017-5226)"),
    ("--cap-drop ALL", "no capabilities"),
)
# In this order, above the host's root where that is shown and below all that is granted.
SYSTEM: Final = (
    ("--proc /proc", "a /proc of the sandbox's own processes"),
    ("--dev /dev", "null, zero, full, random, urandom, tty and nothing else"),
    ("--tmpfs /dev/shm", "shared memory of its own"),
)
SEALED_DEV: Final = ("--remount-ro /dev", "nothing can be left in it")
# Process 1 is bwrap itself. It is not bound by the filter that the bridge loads, and without capabilities or
# Yama (https://docs.kernel.org/admin-guide/LSM/Yama.html, read 2026-11-23) its memory could be written.
HIDDEN_INIT: Final = (
    ("--tmpfs /proc/1", "no way round the inner filter through the memory of the sandbox's first process"),
    ("--remount-ro /proc/1", "an empty folder in its place"),
)
# As many links as merged-/usr hosts have: old name -> folder in /usr.
USR_LINKS: Final = ("bin", "sbin", "lib", "lib64", "lib32")
