"""Cases for each surface, made from what a policy says and from what no policy says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tappass_host.policy import actions as a
from tappass_host.policy.effective import EffectivePolicy, FsRule
from tappass_host.policy.grammar.commands import CommandPattern
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.model import McpServer
from tappass_host.prove.cases import Case
from tappass_host.prove.samples import calls_for
from tappass_host.prove.world import World, below, canary_of, mark_of, real_files

# A folder no policy names, a host nobody grants (RFC 6761: never resolves outside a laboratory).
FOREIGN_HOST: Final = "unlisted.test"
METADATA: Final = "169.254.169.254"
HTTP: Final = 80
# A host of the laboratory (TEST-NET-3): datagrams to it go out wherever they may.
UDP_HOST: Final = "203.0.113.10"
_MOST_HOSTS: Final = 24
# A control has to outlive the limit; longer limits are not waited for.
_LONGEST_LOOP_MS: Final = 5_000
# A variable that the launcher has and no policy grants.
STRAY_VARIABLE: Final = "TAPPASS_PROBE_STRAY"


def short(world: World, path: str) -> str:
    """A path as a person would write it."""
    for folder, word in ((world.home, "~"), (world.workspace, "."), (world.outside, "/elsewhere")):
        if Path(path).is_relative_to(folder):
            return f"{word}{path.removeprefix(str(folder))}"
    return path


# Surface exec: what a process tries.


def exec_cases(policy: EffectivePolicy, world: World) -> list[Case]:
    """Files, moves, network, environment, limits."""
    found: dict[str, Case] = {}
    for case in (*_files(policy, world), *_network(policy), *_environment(policy), *_limits(policy)):
        found.setdefault(case.id, case)
    return list(found.values())


def _files(policy: EffectivePolicy, world: World) -> Iterator[Case]:
    if policy.doc.filesystem is None:
        return
    for _rule, path in below(policy, world, policy.fs.grants):
        yield _read(world, path)
        yield _write(world, path)
    for rule, path in below(policy, world, policy.fs.denies):
        yield _read(world, path)
        yield from _move_above(world, rule, path)
    outside = f"{world.outside}/note.txt"
    yield _file("read", outside, f"cat {short(world, outside)}", ("read", outside), f"canary<{outside}>")
    yield _write(world, str(world.outside))
    yield _file("read", "/etc/passwd", "cat /etc/passwd", ("read", "/etc/passwd"), "root:")
    for path, mark in real_files(policy, world):
        yield _file("read", path, f"cat {path}", ("read", path), mark)
    workspace = str(world.workspace)
    moved = (f"{workspace}/note.txt", f"{workspace}/renamed.txt")
    yield _moved(world, *moved)


def _file(op: str, path: str, title: str, attempt: tuple[str, ...], mark: str = "") -> Case:
    action = a.File(op=op, path=path)  # type: ignore[arg-type]
    return Case(f"exec/{op}/{title}", title, "exec", (action,), attempt, mark)


def _read(world: World, path: str) -> Case:
    target = canary_of(path)
    return _file("read", target, f"cat {short(world, target)}", ("read", target), mark_of(path))


def _write(world: World, path: str) -> Case:
    target = path if path == canary_of(path) else f"{path}/new.txt"
    return _file("write", target, f"write {short(world, target)}", ("write", target))


def _moved(world: World, source: str, target: str) -> Case:
    title = f"mv {short(world, source)} {short(world, target)}"
    action = a.File(op="move", path=source, to=target)
    return Case(f"exec/move/{title}", title, "exec", (action,), ("move", source, target))


def _move_above(world: World, rule: FsRule, path: str) -> Iterator[Case]:
    """Renaming a folder above a denied path: the next run would look for it at its old place."""
    parent = str(Path(path).parent)
    roots = {str(world.workspace), str(world.home), str(world.root)}
    if rule.access == "deny" and world.inside(parent) and parent not in roots:
        yield _moved(world, parent, f"{parent}-moved")


def _network(policy: EffectivePolicy) -> Iterator[Case]:
    if policy.doc.network is None:
        return
    for host, port in sample_hosts(policy):
        yield _connect(host, port)
    yield _connect(FOREIGN_HOST, HTTP)
    yield _connect(METADATA, HTTP)
    yield _connect("2130706433", HTTP)
    action = a.Connect(host=UDP_HOST, port=53, protocol="udp")
    yield Case("exec/udp", f"send UDP to {UDP_HOST}:53", "exec", (action,), ("udp", UDP_HOST, "53"))


def _connect(host: str, port: int) -> Case:
    title = f"connect {host}:{port}"
    action = a.Connect(host=host, port=port)
    return Case(f"exec/connect/{host}:{port}", title, "exec", (action,), ("connect", host, str(port)))


def sample_hosts(policy: EffectivePolicy) -> list[tuple[str, int]]:
    """A host for each statement about names, and the apex beside each wildcard that is granted."""
    found: list[tuple[str, int]] = []
    told: set[str] = set()
    for rule in (*policy.net.allow, *policy.net.deny):
        domain: DomainRule = rule.domain
        if rule.statement not in told and len(told) < _MOST_HOSTS:
            told.add(rule.statement)
            found.append((f"a.{domain.host}" if domain.wildcard else domain.host, domain.port or HTTP))
            if domain.wildcard and rule in policy.net.allow:
                found.append((domain.host, domain.port or HTTP))
    return list(dict.fromkeys(found))


def _environment(policy: EffectivePolicy) -> Iterator[Case]:
    if policy.doc.credentials is None:
        return
    for name in (*policy.doc.credentials.hide_env, STRAY_VARIABLE):
        action = a.EnvRead(name=name)
        yield Case(f"exec/env/{name}", f"echo ${name}", "exec", (action,), ("env", name), f"value-of-{name}")


def _limits(policy: EffectivePolicy) -> Iterator[Case]:
    process = policy.doc.process
    if process is not None and process.max_open_files is not None:
        limit = process.max_open_files
        for amount in (max(limit // 2, 1), limit + 1):
            action = a.Use(resource="process.max_open_files", amount=amount)
            title = f"hold {amount} files open"
            yield Case(f"exec/open-files/{amount}", title, "exec", (action,), ("open_files", str(amount)))


# Surface code: what a snippet inside an interpreter tries.


def code_cases(policy: EffectivePolicy, world: World) -> list[Case]:
    """Imports, host functions, files, environment, memory and time."""
    found: dict[str, Case] = {}
    for case in (*_imports(policy), *_calls(policy), *_code_files(policy, world), *_code_limits(policy)):
        found.setdefault(case.id, case)
    return list(found.values())


def _code(kind: str, title: str, action: a.Action, code: str, mark: str = "") -> Case:
    return Case(f"code/{kind}/{title}", title, "code", (action,), ("code", code), mark)


def _imports(policy: EffectivePolicy) -> Iterator[Case]:
    node = policy.doc.interpreter
    if node is None:
        return
    for module in dict.fromkeys((*node.allow_imports, *node.deny_imports, "os", "random")):
        yield _code(
            "import", f"import {module}", a.Import(module=module), f"import {module}\n'imported'", "imported"
        )


def _calls(policy: EffectivePolicy) -> Iterator[Case]:
    node = policy.doc.interpreter
    if node is None:
        return
    constraints = policy.doc.tools.constraints if policy.doc.tools else {}
    for name in (*(n for n in node.host_functions if n != "http_get"), "undeclared_function"):
        for args in calls_for(constraints.get(name, {})):
            spelled = ", ".join(f"{key}={value!r}" for key, value in args.items())
            code = f"{name}({spelled})"
            yield _code("call", code, a.HostCall(name=name, args=args), code, f"called-{name}")


def _code_files(policy: EffectivePolicy, world: World) -> Iterator[Case]:
    if policy.doc.filesystem is None:
        return
    places = [str(world.workspace), str(world.outside)]
    places += [path for _rule, path in below(policy, world, policy.fs.denies)]
    for path in places:
        target = canary_of(path) if path not in places[:2] else f"{path}/note.txt"
        mark = f"canary<{target}>"
        action = a.File(op="read", path=target, surface="code")
        yield _code("read", f"open('{short(world, target)}')", action, f"open({target!r}).read()", mark)
    passwd = a.File(op="read", path="/etc/passwd", surface="code")
    yield _code("read", "open('/etc/passwd')", passwd, "open('/etc/passwd').read()", "root:")


def _code_limits(policy: EffectivePolicy) -> Iterator[Case]:
    node = policy.doc.interpreter
    if node is None:
        return
    if node.memory_mb is not None:
        for amount in (max(node.memory_mb // 4, 1), node.memory_mb * 2):
            action = a.Use(resource="interpreter.memory_mb", amount=amount, surface="code")
            code = f"x = 'a' * ({amount} * 1024 * 1024)\nlen(x)"
            yield _code("memory", f"hold {amount} MB", action, code, str(amount * 1024 * 1024))
    if node.cpu_time_ms is not None and node.cpu_time_ms <= _LONGEST_LOOP_MS:
        forever = a.Use(resource="interpreter.cpu_time_ms", amount=10 * node.cpu_time_ms + 1, surface="code")
        yield _code("time", "loop for ever", forever, "while True:\n    pass")
        brief = a.Use(resource="interpreter.cpu_time_ms", amount=1, surface="code")
        yield _code("time", "sum(range(100))", brief, "sum(range(100))", "4950")


# Surface tool: what a model asks its harness to do.


def tool_cases(policy: EffectivePolicy, world: World) -> list[Case]:
    """Shell lines, file tools, MCP tools and tools nobody allowed."""
    found: dict[str, Case] = {}
    for case in (*_shell(policy), *_shell_reads(policy, world), *_file_tools(policy, world), *_mcp(policy)):
        found.setdefault(case.id, case)
    return list(found.values())


def _shell(policy: EffectivePolicy) -> Iterator[Case]:
    index = policy.tools
    for entry in (*index.allow, *index.ask, *index.deny):
        if isinstance(entry.rule.spec, CommandPattern):
            yield _bash(_line(entry.rule.spec))
    denied = [e.rule.spec for e in index.deny if isinstance(e.rule.spec, CommandPattern)]
    for spec in denied[:2]:
        line = _line(spec)
        yield from (_bash(form.format(line)) for form in ("bash -c '{}'", "true && {}", "env {}", "( {} )"))
    yield _bash("hostname")


def _line(spec: CommandPattern) -> str:
    """A harmless command line that a pattern is about."""
    return str(spec) if not spec.prefix else " ".join([*spec.words, "--version"])


def _bash(line: str, extra: tuple[a.Action, ...] = (), mark: str = "") -> Case:
    action = a.Tool(name="Bash", args={"command": line})
    return Case(f"tool/Bash/{line}", f"Bash {line}", "tool", (action, *extra), ("tool", "Bash", line), mark)


def _shell_reads(policy: EffectivePolicy, world: World) -> Iterator[Case]:
    """A shell line that reads a denied file: what the rules of a harness do not see, the ring below must."""
    if policy.doc.filesystem is None:
        return
    for _rule, path in below(policy, world, policy.fs.denies):
        target = canary_of(path)
        reads = (a.File(op="read", path=target),)
        above = str(Path(target).parent)
        lines = [f"cat {target}", f"git diff --no-index /dev/null {target}"]
        # In a whole home the answer is long and gets cut, and then the mark may not be in it.
        lines += [] if Path(above) in (world.home, world.workspace) else [f"grep -rhs canary {above}"]
        for line in lines:
            shown = line.replace(target, short(world, target)).replace(above, short(world, above))
            yield _bash(line, reads, mark_of(path))._replace(title=f"Bash {shown}")


def _file_tools(policy: EffectivePolicy, world: World) -> Iterator[Case]:
    places = [str(world.workspace), str(world.outside), str(world.home)]
    places += [path for _rule, path in below(policy, world, policy.fs.denies)]
    for path in places:
        target = canary_of(path) if path not in places[:3] else f"{path}/note.txt"
        yield _file_tool(world, "Read", target, f"canary<{target}>")
        # A harness may refuse to overwrite what it has not read, which is no denial: only new files count.
        if target != path:
            yield _file_tool(world, "Write", f"{path}/written.txt")


def _file_tool(world: World, name: str, path: str, mark: str = "") -> Case:
    action = a.Tool(name=name, args={"path": path})
    title = f"{name} {short(world, path)}"
    return Case(f"tool/{title}", title, "tool", (action,), ("tool", name, path), mark)


def _mcp(policy: EffectivePolicy) -> Iterator[Case]:
    """Every tool that the policy names of a local server, and one that it does not."""
    for server in policy.doc.mcp.servers if policy.doc.mcp else ():
        if server.transport.kind != "stdio":
            continue
        for tool in named_tools(server):
            for args in calls_for(server.tools.constraints.get(tool, {})):
                action = a.McpCall(server=server.id, tool=tool, args=args)
                title = f"mcp {server.id}.{tool}({', '.join(f'{k}={v!r}' for k, v in args.items())})"
                attempt = ("mcp", server.id, tool, json.dumps(args))
                yield Case(f"tool/{title}", title, "tool", (action,), attempt, f"mcp-{tool}")


def named_tools(server: McpServer) -> list[str]:
    """Tools that a server has to offer for the corpus."""
    rules = server.tools
    return [*dict.fromkeys((*rules.allow, *rules.ask, *rules.deny, *rules.constraints)), "unlisted_tool"]
