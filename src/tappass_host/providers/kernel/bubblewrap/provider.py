"""bubblewrap: one argv file, one seccomp filter and one launch, and what they hold of a policy.

What nobody lists does not exist inside; a granted path is a bind mount; a deny inside a grant is a mask, and
the folders above it are pinned as mounts of their own, because a mask cannot be renamed but a folder above
it can, and the next run would look for the secret at its old place.
"""

from typing import Final

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.providers.kernel.bubblewrap.seccomp import filter_bytes
from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Endpoint, Launch, SecretRef
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Component, Evidence, Item, Reach
from tappass_host.sdk.contract import Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import Doc
from tappass_host.sdk.lowering import (
    FsEntry,
    FsFeatures,
    Limit,
    LimitFeatures,
    NetFeatures,
    lower_fs,
    lower_limits,
    lower_net,
)

VERSIONS: Final = ("0.8.0",)
EVERYWHERE: Final = ("tool", "exec", "mcp", "code", "self")
PROCESSES: Final = ("exec", "mcp", "code", "self")
MAN: Final = "https://github.com/containers/bubblewrap/blob/main/bwrap.xml"

# Where the egress proxy's socket and the bridge that leads to it are bound inside.
SOCKET_INSIDE: Final = "/run/tappass/egress.sock"
BRIDGE_INSIDE: Final = "/run/tappass/bridge.py"
PROXY_PORT: Final = 3128
PROXY_URL: Final = f"http://127.0.0.1:{PROXY_PORT}"
# Descriptors that the launcher opens for bwrap; any free numbers would do.
ARGS_FD: Final = 10
FILTER_FD: Final = 11


class BubblewrapOptions(Options, frozen=True, kw_only=True):
    """How far the sandbox goes beyond the policy.

    Attributes:
        arch: machine architecture the filter is made for.
        private_tmp: give the sandbox its own /tmp where the policy grants /tmp, instead of the host's.
    """

    arch: str = "x86_64"
    private_tmp: bool = True


INFO: Final = ProviderInfo(
    id="bubblewrap",
    position="kernel",
    target="bubblewrap",
    version="1.0.0",
    sdk="1.0",
    versions=VERSIONS,
    options=BubblewrapOptions,
    wants=("egress-proxy",),
    effects={"args": "sandbox_recreate", "seccomp": "sandbox_recreate", "launch": "sandbox_recreate"},
    covers={
        "filesystem": EVERYWHERE,
        "network": EVERYWHERE,
        "process": PROCESSES,
        "credentials": PROCESSES,
    },
    cannot={
        "tools": "sees system calls, not tool calls",
        "mcp": "sees system calls, not MCP messages",
        "head.expires_at": "a running sandbox does not look at the clock",
    },
)

MOUNTS: Final = Reach(
    "mounts", EVERYWHERE, "compulsory", Evidence(MAN, "2026-11-22", VERSIONS, "bubblewrap/files")
)
NETNS: Final = Reach(
    "netns", EVERYWHERE, "compulsory", Evidence(MAN, "2026-11-22", VERSIONS, "bubblewrap/network")
)
# With the socket of the egress proxy bound in, the seal is as good as the proxy behind it.
NETNS_PROXIED: Final = NETNS._replace(requires=(Component("egress-proxy"),))
IDENTITY: Final = Reach(
    "identity", PROCESSES, "compulsory", Evidence(MAN, "2026-11-22", VERSIONS, "bubblewrap/identity")
)
RLIMITS: Final = Reach(
    "rlimits",
    PROCESSES,
    "compulsory",
    Evidence(
        "https://man7.org/linux/man-pages/man2/getrlimit.2.html", "2026-11-22", VERSIONS, "bubblewrap/limits"
    ),
)
ENVIRONMENT: Final = Reach(
    "environment", PROCESSES, "compulsory", Evidence(MAN, "2026-11-22", VERSIONS, "bubblewrap/env")
)

FS: Final = FsFeatures(nesting="layered", floor="nothing", pinned=True, existing=True)
SEALED: Final = NetFeatures(domains="none", floor="nothing", deny=False, cidrs=False, local="shut", unix=True)
OPEN: Final = NetFeatures(
    domains="none", floor="all", deny=False, cidrs=False, local="open", unix=True, other=False
)
IDENTITIES: Final = LimitFeatures(
    aspect="process",
    fields=("run_as_uid", "run_as_gid"),
    holds=dict.fromkeys(
        ("run_as_uid", "run_as_gid"),
        "inside the sandbox only: on the host, files are touched as the user who launched it",
    ),
    why={},
)
LIMITS: Final = LimitFeatures(
    aspect="process",
    fields=("memory_mb", "max_processes", "max_open_files", "cpu_percent"),
    holds={
        "max_open_files": "",
        "max_processes": "counted per user on the whole host, and not for root",
    },
    why={
        "*": "a resource limit is per process; a whole sandbox needs a cgroup, which bubblewrap does not make"
    },
)
IDENTITY_FLAGS: Final = {"run_as_uid": "--uid", "run_as_gid": "--gid"}
# Names of setrlimit(2) resources, as the launcher spells them.
RLIMIT_NAMES: Final = {"max_open_files": "nofile", "max_processes": "nproc"}

# What every process finds besides its grants; private to the sandbox, nothing of the host shows through.
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
# A file system of one link per old name, as merged-/usr hosts have them. Without /usr they lead nowhere.
USR_LINKS: Final = ("bin", "sbin", "lib", "lib64", "lib32")


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render one sandbox.

    Raises:
        RenderError: a path still holds a parameter.
    """
    b = Builder(INFO, policy, target)
    options = target.options if isinstance(target.options, BubblewrapOptions) else BubblewrapOptions()
    args = b.doc("args", path="bubblewrap.args", codec="argv")
    for flag, why in HARDENING:
        args.add("/args", flag.split(" "), by=why)
    _network(b, args)
    _identity(b, args)
    for item in b.lower(lower_fs(policy, FS, b.know), at=MOUNTS):
        _mount(args, item, options)
    _system(b, args)
    _environment(b)
    _bridge(b, args)
    _launch(b, args, options)
    return b.build()


# Files.


def _mount(args: Doc, item: Item, options: BubblewrapOptions) -> None:
    if item.op == "default":
        _default(args, item)
        return
    entry = item.value
    assert isinstance(entry, FsEntry)
    path = str(entry.path)
    if entry.path.root != "/":
        raise RenderError(f"{path} is not an absolute path", remedy="bind the policy's parameters first")
    match item.op, entry.access, entry.kind:
        case "deny", _, "file":
            args.add("/args", ["--ro-bind", "/dev/null", path], by=item)
        case "deny", _, _:
            args.add("/args", ["--tmpfs", path], by=item)
            args.add("/args", ["--remount-ro", path], by=item)
        case "grant", "write", _ if path == "/tmp" and options.private_tmp:  # noqa: S108
            args.add("/args", ["--tmpfs", path], by=item)
        case _, "write", _:
            args.add("/args", ["--bind", path, path], by=item)
        case _:
            args.add("/args", ["--ro-bind", path, path], by=item)


def _default(args: Doc, item: Item) -> None:
    match item.value:
        case "read_only":
            args.add("/args", ["--ro-bind", "/", "/"], by=item)
        case "allow":
            args.add("/args", ["--bind", "/", "/"], by=item)
        case _:
            args.credit("args#/args[--unshare-user]", by=item)


def _system(b: Builder, args: Doc) -> None:
    """A private /proc and /dev, and the links of a merged /usr, unless the whole root is the host's."""
    args.add("/args", ["--proc", "/proc"], by="a /proc of the sandbox's own processes")
    args.add("/args", ["--dev", "/dev"], by="null, zero, full, random, urandom, tty and nothing else")
    if b.policy.doc.filesystem is None or b.policy.doc.filesystem.default != "deny":
        return
    granted = {str(grant.path) for grant in b.policy.fs.grants}
    for name in USR_LINKS:
        kind = b.ask("path_kind", f"/{name}")
        if "/usr" in granted and kind == f"symlink:usr/{name}" and f"/{name}" not in granted:
            args.add(
                "/args",
                ["--symlink", f"usr/{name}", f"/{name}"],
                by="a merged /usr is found by its old names",
            )


# Network.


def _network(b: Builder, args: Doc) -> None:
    if b.policy.doc.network is None:
        return
    sealed = b.policy.doc.network.default == "deny"
    reach = NETNS_PROXIED if _proxy(b) else NETNS
    for item in b.lower(lower_net(b.policy, SEALED if sealed else OPEN), at=reach):
        if item.op == "unix":
            args.add("/args", ["--bind", str(item.value), str(item.value)], by=item)
        else:
            args.add("/args", ["--unshare-net"], by=item)


def _proxy(b: Builder) -> Endpoint | None:
    """The egress proxy of this use, if there is one and the network is sealed."""
    network = b.policy.doc.network
    sealed = network is not None and network.default == "deny"
    return b.target.offers.get("egress-proxy") if sealed else None


def _bridge(b: Builder, args: Doc) -> None:
    proxy = _proxy(b)
    if proxy is None:
        return
    why = "the way to the egress proxy, which holds the allowed domains"
    args.add("/args", ["--bind", proxy.unix, SOCKET_INSIDE], by=why)
    args.add("/args", ["--ro-bind", b.target.paths.get("bridge", BRIDGE_INSIDE), BRIDGE_INSIDE], by=why)


# Identity, environment, limits.


def _identity(b: Builder, args: Doc) -> None:
    for item in b.lower(lower_limits(b.policy, IDENTITIES), at=IDENTITY):
        assert isinstance(item.value, Limit)
        args.add("/args", [IDENTITY_FLAGS[item.value.field], str(item.value.number)], by=item)


def _environment(b: Builder) -> None:
    """The launch carries the whole environment, so what it does not list is not there."""
    node = b.policy.doc.credentials
    if node is None:
        return
    listed = [*b.policy.ids("credentials.hide_env"), *b.policy.ids("credentials.secrets")]
    items = [
        Item(
            "open" if node.default == "allow" else "default",
            node.default,
            b.policy.ids("credentials.default"),
        ),
        *(Item("env", statement, (statement,)) for statement in listed),
    ]
    for item in b.lower(items, at=ENVIRONMENT):
        b.credit("launch#", by=item)
    why = "hands the secret over; where it is sent is for the proxy to see"
    b.refuse(b.policy.ids("credentials.secrets.domains"), why, at=ENVIRONMENT)


def _launch(b: Builder, args: Doc, options: BubblewrapOptions) -> None:
    """Let bwrap read its arguments and filter from descriptors: what runs is what was rendered."""
    args.add("/args", ["--seccomp", str(FILTER_FD)], by="the filter below")
    blob = filter_bytes(options.arch).hex()
    b.artifact(
        Artifact(id="seccomp", kind="blob", path="bubblewrap.bpf", codec="bytes", doc=blob),
        by="takes away the kernel's widest doors",
    )
    limits = b.lower(lower_limits(b.policy, LIMITS), at=RLIMITS)
    launch = Launch(
        program="bwrap",
        args=("--args", str(ARGS_FD), "--", *_bridge_argv(b)),
        env=_env(b),
        fds={str(ARGS_FD): ArtifactPath("args"), str(FILTER_FD): ArtifactPath("seccomp")},
        rlimits=dict(_rlimit(item) for item in limits),
    )
    b.launch(launch, by="starts the sandbox from descriptors")
    for item in limits:
        b.credit("launch#", by=item)


def _rlimit(item: Item) -> tuple[str, int]:
    assert isinstance(item.value, Limit)
    return RLIMIT_NAMES[item.value.field], item.value.number


def _env(b: Builder) -> dict[str, str | SecretRef]:
    env: dict[str, str | SecretRef] = {}
    for inner in b.target.inner:
        env.update(inner.launch.env if inner.launch else {})
        for need in inner.needs:
            if need.kind == "env":
                name, _, value = need.value.partition("=")
                env[name] = value
    if _proxy(b):
        env.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), PROXY_URL))
    node = b.policy.doc.credentials
    env.update({s.env: SecretRef(s.ref) for s in node.secrets} if node else {})
    return dict(sorted(env.items()))


def _bridge_argv(b: Builder) -> tuple[str, ...]:
    if _proxy(b) is None:
        return ()
    python = b.target.paths.get("python", "/usr/bin/python3")
    to = ("--listen", f"127.0.0.1:{PROXY_PORT}", "--to", SOCKET_INSIDE)
    return (python, "-I", "-S", BRIDGE_INSIDE, *to, "--")
