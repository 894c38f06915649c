"""bubblewrap: one argv file, one seccomp filter and one launch, and what they hold of a policy.

What nobody lists does not exist inside; a granted path is a bind mount; a deny inside a grant is a mask, and
the folders above it are pinned as mounts of their own, because a mask cannot be renamed but a folder above
it can, and the next run would look for the secret at its old place.
"""

from typing import Final

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.policy.grammar.paths import PathRule, parse_path
from tappass_host.providers.kernel.bubblewrap import inside
from tappass_host.providers.kernel.bubblewrap.own_tmp import OwnTmp, shut
from tappass_host.providers.kernel.bubblewrap.seccomp import filter_bytes
from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Endpoint, Launch, SecretRef
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Component, Evidence, Item, Reach
from tappass_host.sdk.contract import Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.facts import UNKNOWN
from tappass_host.sdk.lowering import (
    CREATED_LATER,
    FsEntry,
    FsFeatures,
    Limit,
    LimitFeatures,
    NetFeatures,
    lower_fs,
    lower_limits,
    lower_net,
)
from tappass_host.sdk.placeholders import placeholder, stays_outside

VERSIONS: Final = ("0.8.0",)
EVERYWHERE: Final = ("tool", "exec", "mcp", "code", "self")
PROCESSES: Final = ("exec", "mcp", "code", "self")
# Code in an interpreter has an environment of its own.
INHERITING: Final = ("exec", "mcp", "self")
MAN: Final = "https://github.com/containers/bubblewrap/blob/main/bwrap.xml"


class BubblewrapOptions(Options, frozen=True, kw_only=True):
    """How far the sandbox goes beyond the policy.

    Attributes:
        arch: machine architecture the filters are made for.
        private_tmp: give the sandbox its own /tmp where the policy grants /tmp, instead of the host's.
        unix_sockets: let programs inside make unix sockets although the policy grants none.
        hand_over_secrets: put secrets themselves into the environment although the egress proxy could put
            them into requests outside.
    """

    arch: str = "x86_64"
    private_tmp: bool = True
    unix_sockets: bool = False
    hand_over_secrets: bool = False


INFO: Final = ProviderInfo(
    id="bubblewrap",
    position="kernel",
    target="bubblewrap",
    version="1.0.0",
    sdk="1.0",
    versions=VERSIONS,
    options=BubblewrapOptions,
    wants=("egress-proxy",),
    effects={
        "args": "sandbox_recreate",
        "seccomp": "sandbox_recreate",
        "seccomp-inner": "sandbox_recreate",
        "launch": "sandbox_recreate",
    },
    covers={
        "filesystem": EVERYWHERE,
        "network": EVERYWHERE,
        "process": PROCESSES,
        "credentials": INHERITING,
    },
    cannot={
        "tools": "sees system calls, not tool calls",
        "mcp": "sees system calls, not MCP messages",
        "head.expires_at": "a running sandbox does not look at the clock",
    },
)


def _reach(name: str, surfaces: tuple[str, ...], probe: str, url: str = MAN) -> Reach:
    evidence = Evidence(url, "2026-11-22", VERSIONS, f"bubblewrap/{probe}")
    return Reach(name, surfaces, "compulsory", evidence)  # type: ignore[arg-type]


MOUNTS: Final = _reach("mounts", EVERYWHERE, "files")
NETNS: Final = _reach("netns", EVERYWHERE, "network")
IDENTITY: Final = _reach("identity", PROCESSES, "identity")
RLIMITS: Final = _reach(
    "rlimits", PROCESSES, "limits", "https://man7.org/linux/man-pages/man2/getrlimit.2.html"
)
ENVIRONMENT: Final = _reach("environment", INHERITING, "env")
# A secret that is not inside goes where the proxy puts it.
PLACEHOLDERS: Final = _reach("placeholders", INHERITING, "placeholders")._replace(
    requires=(Component("egress-proxy"),)
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

SOCKETS_SEEN: Final = "a unix socket in a granted folder can be reached, whoever listens there"
SOCKETS_UNSEEN: Final = "unix sockets are reached only where a granted folder shows them"
ALWAYS_THERE: Final = "every sandbox has a /dev and a /proc of its own"
HANDED_OVER: Final = "hands the secret over; where it is sent is for the proxy to see"
PLACEHELD: Final = "a placeholder, which the egress proxy replaces in plain HTTP requests to its domains only"
ONLY_LISTED: Final = "hands on only what is listed"


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render one sandbox.

    Raises:
        RenderError: a path still holds a parameter.
    """
    b = Builder(INFO, policy, target)
    return _Rendering(b, target.options_as(BubblewrapOptions)).config()


class _Rendering:
    """One run: the argv document, and what is put into it in the order that mounts need."""

    def __init__(self, b: Builder, options: BubblewrapOptions) -> None:
        self.b, self.options, self.policy = b, options, b.policy
        self.args = b.doc("args", path="bubblewrap.args", codec="argv")
        network = self.policy.doc.network
        self.sealed = network is not None and network.default == "deny"
        self.proxy: Endpoint | None = b.target.offers.get("egress-proxy") if self.sealed else None
        self.unix = options.unix_sockets or bool(network and network.allow_unix)
        # The bridge needs unix sockets, so where there is one what it starts gets a filter of its own.
        self.inner_filter = self.sealed and not self.unix and self.proxy is not None
        credentials = self.policy.doc.credentials
        self.secrets = credentials.secrets if credentials else ()
        self.shown: list[PathRule] = []
        self.tmp = OwnTmp(self.policy, wanted=options.private_tmp)

    def config(self) -> TargetConfig:
        for flag, why in inside.HARDENING:
            self._flag(flag, why)
        self._network()
        self._identity()
        default = self._mounts()
        self._sockets()
        self._usr_links()
        self._bridge()
        self._close(default)
        self._environment()
        self._filters()
        self._launch()
        return self.b.build()

    def _flag(self, flag: str, why: str) -> None:
        self.args.add("/args", flag.split(" "), by=why)

    # Files.

    def _mounts(self) -> Item | None:
        """Everything from the outside in; gives the default where it is the empty root that holds it."""
        items = self.b.lower(map(self._fitted, lower_fs(self.policy, FS, self.b.know)), at=MOUNTS)
        if self.policy.doc.filesystem is None:
            self._show("--bind", "/", "filesystem is unmanaged: as it is on the host")
        closed = None
        for item in (i for i in items if _is_top(i)):
            closed = item if not self._root(item) else closed
        for flag, why in inside.SYSTEM:
            self._flag(flag, why)
        for item in (i for i in items if not _is_top(i)):
            self._mount(item)
        return closed

    def _fitted(self, item: Item) -> Item:
        """Where the sandbox has something of its own, it is not the host's, and it is not nothing either."""
        item = self.tmp.fitted(item)
        entry = item.value
        if item.op == "deny" and item.under and isinstance(entry, FsEntry) and _is_own(str(entry.path)):
            return item._replace(under=(), refused=ALWAYS_THERE)
        # Between two writable roots a folder is copied, and what is masked in it stays behind.
        found = item.op == "deny" and CREATED_LATER in item.loss and len(self.policy.fs.roots) > 1
        return item._replace(fidelity="stricter") if found else item

    def _root(self, item: Item) -> bool:
        """Show the host's root; False where nothing is shown."""
        if isinstance(item.value, FsEntry):
            self._mount(item)
        elif item.value == "deny":
            return False
        else:
            self._show("--bind" if item.value == "allow" else "--ro-bind", "/", item)
        return True

    def _mount(self, item: Item) -> None:
        entry = item.value
        assert isinstance(entry, FsEntry)
        path = str(entry.path)
        if entry.path.root != "/":
            raise RenderError(f"{path} is not an absolute path", remedy="bind the policy's parameters first")
        entries = self.tmp.entries(item, entry) or (shut(path, entry.kind) if item.op == "deny" else [])
        for words in entries:
            self.args.add("/args", words, by=item)
        if not entries:
            self._show("--bind" if entry.access == "write" else "--ro-bind", path, item)

    def _show(self, option: str, path: str, by: Item | str) -> None:
        self.shown.append(parse_path(path))
        self.args.add("/args", [option, path, path], by=by)

    def _usr_links(self) -> None:
        """Links of a merged /usr, so that what is granted there is found by its old names."""
        node = self.policy.doc.filesystem
        if node is None or node.default != "deny":
            return
        granted = {str(grant.path) for grant in self.policy.fs.grants}
        for name in inside.USR_LINKS:
            seen = granted.intersection(("/usr", f"/usr/{name}"))
            if not seen or granted.intersection(("/", f"/{name}")):
                continue
            if self.b.ask("path_kind", f"/{name}") == f"symlink:usr/{name}":
                self._flag(f"--symlink usr/{name} /{name}", "a merged /usr is found by its old names")

    def _close(self, default: Item | None) -> None:
        """What is left to write to is only what was granted."""
        flag, why = inside.SEALED_DEV
        self._flag(flag, why)
        if default is not None:
            self.args.add("/args", ["--remount-ro", "/"], by=default)

    # Network.

    def _network(self) -> None:
        for item in self.b.lower(map(self._reached, self._net(unix=False)), at=NETNS):
            self.args.add("/args", ["--unshare-net"], by=item)
            if item.op == "default":
                self.b.credit("seccomp-inner#" if self.inner_filter else "seccomp#", by=item)

    def _net(self, *, unix: bool) -> list[Item]:
        """The items about unix sockets, or all others."""
        found = lower_net(self.policy, SEALED if self.sealed else OPEN)
        return [item for item in found if (item.op == "unix") == unix]

    def _reached(self, item: Item) -> Item:
        """The default is about unix sockets too."""
        if item.op == "default" and self.unix and not item.refused:
            return item._replace(loss=SOCKETS_SEEN)
        node = self.policy.doc.filesystem
        if item.op == "open" and node is not None and node.default == "deny":
            return item._replace(loss=SOCKETS_UNSEEN)
        return item

    def _sockets(self) -> None:
        """Granted sockets. What a granted folder shows is there already, and follows its listener."""
        for item in self.b.lower(map(self._socket, self._net(unix=True)), at=NETNS):
            path = str(item.value)
            if not self._is_shown(path):
                self.args.add("/args", ["--ro-bind", path, path], by=item)
            self.b.credit("seccomp#", by=item)

    def _socket(self, item: Item) -> Item:
        path = str(item.value)
        if any(rule.path.matches(path) for rule in self.policy.fs.denies):
            return item._replace(refused="is denied as a file")
        if self._is_shown(path):
            return item
        kind = self.b.ask("path_kind", path)
        if kind is UNKNOWN:
            return item._replace(refused=f"whether {path} exists is not known yet")
        return item if kind == "file" else item._replace(op="absent", loss=f"{path} is not there")

    def _is_shown(self, path: str) -> bool:
        return any(folder.matches(path) for folder in self.shown)

    def _bridge(self) -> None:
        if self.proxy is None:
            return
        why = "the way to the egress proxy, which holds the allowed domains"
        source = self.b.target.paths.get("bridge", inside.BRIDGE)
        self.args.add("/args", ["--ro-bind", self.proxy.unix, inside.SOCKET], by=why)
        self.args.add("/args", ["--ro-bind", source, inside.BRIDGE], by=why)
        for flag, hides in inside.HIDDEN_INIT if self.inner_filter else ():
            self._flag(flag, hides)

    # Identity, environment, limits.

    def _identity(self) -> None:
        for item in self.b.lower(lower_limits(self.policy, IDENTITIES), at=IDENTITY):
            assert isinstance(item.value, Limit)
            flag = IDENTITY_FLAGS[item.value.field]
            self.args.add("/args", [flag, str(item.value.number)], by=item)

    @property
    def _by_proxy(self) -> frozenset[str]:
        """Secrets that stay outside."""
        held = self.proxy is not None and not self.options.hand_over_secrets
        return frozenset(s.env for s in self.secrets if held and stays_outside(s))

    def _environment(self) -> None:
        """The launch carries the whole environment, so what it does not list is not there."""
        node = self.policy.doc.credentials
        if node is None:
            return
        default = Item("default", node.default, self.policy.ids("credentials.default"))
        default = default._replace(refused=ONLY_LISTED) if node.default == "allow" else default
        hidden = [Item("hide", s, (s,)) for s in self.policy.ids("credentials.hide_env")]
        for item in self.b.lower([default, *hidden], at=ENVIRONMENT):
            self.b.credit("launch#/env", by=item)
        for secret in self.secrets:
            statement = f"credentials.secrets[{secret.env}]"
            loss = PLACEHELD if secret.env in self._by_proxy else ""
            for item in self.b.lower([Item("secret", secret.env, (statement,), loss=loss)], at=ENVIRONMENT):
                self.b.credit(f"launch#/env/{secret.env}", by=item)
            self._domains(secret.env)

    def _domains(self, env: str) -> None:
        prefix = f"credentials.secrets[{env}].domains["
        said = [s for s in self.policy.ids("credentials.secrets.domains") if s.startswith(prefix)]
        if env not in self._by_proxy:
            self.b.refuse(said, HANDED_OVER, at=ENVIRONMENT)
            return
        for item in self.b.lower([Item("outside", env, (s,)) for s in said], at=PLACEHOLDERS):
            self.b.credit(f"launch#/env/{env}", by=item)

    def _env(self) -> dict[str, str | SecretRef]:
        env: dict[str, str | SecretRef] = {}
        for inner in self.b.target.inner:
            env.update(inner.launch.env if inner.launch else {})
            for need in inner.needs:
                if need.kind == "env":
                    name, _, value = need.value.partition("=")
                    env[name] = value
        if self.proxy is not None:
            env.update(dict.fromkeys(inside.PROXY_VARIABLES, inside.PROXY_URL))
        for secret in self.secrets:
            outside = secret.env in self._by_proxy
            env[secret.env] = placeholder(secret.env) if outside else SecretRef(secret.ref)
        node = self.policy.doc.credentials
        return {name: env[name] for name in sorted(set(env).difference(node.hide_env if node else ()))}

    # The launch.

    def _filters(self) -> None:
        """What bwrap loads before anything runs, and what the bridge adds once it has its sockets."""
        self._flag(f"--seccomp {inside.FILTER_FD}", "the filter below")
        arch, unix = self.options.arch, self.unix or self.inner_filter
        outer = filter_bytes(arch, families=self.sealed, unix=unix)
        self._filter("seccomp", outer, "takes away the kernel's widest doors")
        if self.inner_filter:
            inner = filter_bytes(arch, families=True, unix=False)
            self._filter("seccomp-inner", inner, "takes unix sockets away as well")

    def _filter(self, name: str, code: bytes, why: str) -> None:
        suffix = name.removeprefix("seccomp")
        path = f"bubblewrap{suffix}.bpf"
        self.b.artifact(Artifact(id=name, kind="blob", path=path, codec="bytes", doc=code.hex()), by=why)

    def _launch(self) -> None:
        """Let bwrap read its arguments and filter from descriptors: what runs is what was rendered."""
        limits = self.b.lower(lower_limits(self.policy, LIMITS), at=RLIMITS)
        fds = {str(inside.ARGS_FD): ArtifactPath("args"), str(inside.FILTER_FD): ArtifactPath("seccomp")}
        if self.inner_filter:
            fds[str(inside.INNER_FILTER_FD)] = ArtifactPath("seccomp-inner")
        launch = Launch(
            program="bwrap",
            args=("--args", str(inside.ARGS_FD), "--", *self._bridge_argv()),
            env=self._env(),
            fds=fds,
            rlimits=dict(_rlimit(item) for item in limits),
        )
        self.b.launch(launch, by="starts the sandbox from descriptors")
        for item in limits:
            self.b.credit(f"launch#/rlimits/{_rlimit(item)[0]}", by=item)

    def _bridge_argv(self) -> tuple[str, ...]:
        if self.proxy is None:
            return ()
        python = self.b.target.paths.get("python", "/usr/bin/python3")
        inner = ("--filter", str(inside.INNER_FILTER_FD)) if self.inner_filter else ()
        to = ("--listen", f"127.0.0.1:{inside.PROXY_PORT}", "--to", inside.SOCKET)
        return (python, "-I", "-S", inside.BRIDGE, *inner, *to, "--")


def _is_top(item: Item) -> bool:
    """True for what is about the root itself: the system's own mounts lie on top of that."""
    return not isinstance(item.value, FsEntry) or parse_path(str(item.value.path)).segments == ()


def _is_own(path: str) -> bool:
    return any(parse_path(own).matches(path) for own in ("/dev", "/proc"))


def _rlimit(item: Item) -> tuple[str, int]:
    assert isinstance(item.value, Limit)
    return RLIMIT_NAMES[item.value.field], item.value.number
