import asyncio

import pytest

from tappass_host.policy.grammar.constraints import Constraint, Range
from tappass_host.runners import arun
from tappass_host.sdk.configs.interpreter import HostFunction


class Spy:
    """A host function that keeps what reached it."""

    def __init__(self, result="done"):
        self.seen = []
        self.result = result

    def __call__(self, path="", limit=0, **more):
        self.seen.append((path, limit))
        return self.result


def verdicts(result):
    return [(c.name, c.verdict) for c in result.calls]


def test_a_declared_function_is_called_and_recorded(run_code):
    spy = Spy({"a": [1, 2]})
    result = run_code("read('/x', limit=3)", host_functions={"read": spy})
    assert result.result == {"a": [1, 2]}
    assert spy.seen == [("/x", 3)]
    assert verdicts(result) == [("read", "allow")]
    assert result.calls[0].args_digest.startswith("sha256:")


@pytest.mark.parametrize(
    "code",
    [
        "danger('x')",
        "f = danger\nf('x')",
        "danger",
        "[danger(i) for i in [1]]",
        "exec('danger(1)')",
        "eval('danger')",
    ],
)
def test_an_undeclared_function_is_a_name_error_and_recorded(run_code, code):
    spy = Spy()
    result = run_code(code, host_functions={"danger": spy}, declared=())
    assert (result.status, result.error.type) == ("error", "NameError")
    assert verdicts(result) == [("danger", "deny")]
    assert spy.seen == []
    control = run_code(code, host_functions={"danger": spy})
    assert "NameError" not in str(control.error)


def test_an_undeclared_function_can_be_caught_but_stays_recorded(run_code):
    result = run_code("try:\n  danger()\nexcept NameError as e:\n  x = str(e)\nx")
    assert "not declared" in result.result
    assert verdicts(result) == [("danger", "deny")]


def test_a_declared_function_that_nobody_provides_is_a_name_error(run_code):
    result = run_code("f()", declared=(HostFunction(name="f"),))
    assert result.error.type == "NameError"
    assert "not provided" in result.calls[0].reason


CONSTRAINED = [
    ("by name", "read(path='/etc/passwd')", False),
    ("by position", "read('/etc/passwd')", False),
    ("by mapping", "read(**{'path': '/etc/passwd'})", False),
    ("by sequence", "read(*['/etc/passwd'])", False),
    ("upwards", "read('/ws/../etc/passwd')", False),
    ("wrong type", "read(['/ws/a'])", False),
    ("number out of range", "read('/ws/a', 11)", False),
    ("boolean for a number", "read('/ws/a', True)", False),
    ("text for a number", "read('/ws/a', '1')", False),
    ("unknown argument", "read('/ws/a', 1, 2)", False),
    ("function object", "read(lambda: 1)", False),
    ("good by name", "read(path='/ws/a', limit=10)", True),
    ("good by position", "read('/ws/a', 10)", True),
    ("argument left out, whatever it would then be", "read('/ws/a')", False),
]


@pytest.mark.parametrize(("code", "permitted"), [c[1:] for c in CONSTRAINED], ids=[c[0] for c in CONSTRAINED])
def test_constraints_are_checked_on_every_call(run_code, code, permitted):
    spy = Spy()
    constraints = {"path": Constraint(subpath="/ws"), "limit": Constraint(range=Range(min=0, max=10))}
    declared = (HostFunction(name="read", constraints=constraints),)
    result = run_code(code, host_functions={"read": spy}, declared=declared)
    if permitted:
        assert (result.result, len(spy.seen), verdicts(result)) == ("done", 1, [("read", "allow")])
    else:
        assert (result.status, result.error.type) == ("denied", "PermissionError"), result
        assert (spy.seen, verdicts(result)) == ([], [("read", "deny")])
        assert "policy version 7" in result.error.message


def test_a_denied_call_can_be_caught_and_the_code_goes_on(run_code):
    declared = (HostFunction(name="f", constraints={"path": Constraint(const="a")}),)
    code = "try:\n  f('b')\nexcept PermissionError:\n  pass\nf('a')"
    result = run_code(code, host_functions={"f": Spy()}, declared=declared)
    assert (result.result, verdicts(result)) == ("done", [("f", "deny"), ("f", "allow")])


@pytest.mark.parametrize(
    "function",
    [lambda *args: 1, lambda other: 1, lambda other=1, *path: 1, print],
    ids=["args", "other", "both", "builtin"],
)
def test_a_constraint_that_cannot_be_checked_denies(run_code, function):
    declared = (HostFunction(name="f", constraints={"path": Constraint(const="a")}),)
    assert run_code("f('a')", host_functions={"f": function}, declared=declared).status == "denied"
    assert run_code("f('a')", host_functions={"f": lambda path: 2}, declared=declared).result == 2


def test_keyword_only_and_open_ended_functions_are_checked(run_code):
    declared = (HostFunction(name="f", constraints={"path": Constraint(const="a")}),)

    def function(**kwargs):
        return kwargs

    assert run_code("f(path='a', x=1)", host_functions={"f": function}, declared=declared).result == {
        "path": "a",
        "x": 1,
    }
    assert run_code("f(path='b', x=1)", host_functions={"f": function}, declared=declared).status == "denied"


def test_a_second_argument_of_the_same_name_does_not_hide_the_first(run_code):
    declared = (HostFunction(name="f", constraints={"path": Constraint(const="good")}),)
    seen = []

    def function(path, /, **more):
        seen.append((path, more))

    assert (
        run_code("f('evil', path='good')", host_functions={"f": function}, declared=declared).status
        == "denied"
    )
    assert run_code("f('good', x='evil')", host_functions={"f": function}, declared=declared).status == "ok"
    assert seen == [("good", {"x": "evil"})]


def test_no_more_calls_than_allowed(run_code):
    spy = Spy()
    declared = (HostFunction(name="f", max_calls=2),)
    assert run_code("f()\nf()", host_functions={"f": spy}, declared=declared).status == "ok"
    spy.seen.clear()
    result = run_code("f()\nf()\nf()", host_functions={"f": spy}, declared=declared)
    assert (result.status, len(spy.seen)) == ("denied", 2)
    assert [v for _, v in verdicts(result)] == ["allow", "allow", "deny"]


def test_observe_lets_through_and_records(run_code):
    spy = Spy()
    declared = (HostFunction(name="f", max_calls=1, constraints={"path": Constraint(const="a")}),)
    result = run_code("f('b')\nf('a')", host_functions={"f": spy}, declared=declared, mode="observe")
    assert (result.status, len(spy.seen)) == ("ok", 2)
    assert [v for _, v in verdicts(result)] == ["observe", "observe"]


def test_what_a_function_raises_arrives_inside(run_code):
    class Odd(Exception):
        pass

    def fail(kind):
        raise {"value": ValueError, "odd": Odd, "base": FileNotFoundError}[kind]("because")

    code = "try:\n  fail('{}')\nexcept {} as e:\n  x = str(e)\nx"
    for kind, caught, text in [
        ("value", "ValueError", "because"),
        ("odd", "Exception", "Odd: because"),
        ("base", "OSError", "because"),
    ]:
        assert run_code(code.format(kind, caught), host_functions={"fail": fail}).result == text
    assert run_code("fail('value')", host_functions={"fail": fail}).status == "error"


@pytest.mark.parametrize("value", [float("nan"), object(), b"x", [[[{1, 2}, object()]]]])
def test_results_of_functions_must_be_json(run_code, value):
    result = run_code("f()", host_functions={"f": lambda: value})
    assert (result.status, result.error.type) == ("error", "TypeError")


def test_large_values_cross_both_ways(run_code):
    text = "x" * 500_000
    result = run_code("len(f('y' * 500000))", host_functions={"f": lambda a: a + text})
    assert result.result == 1_000_000
    assert run_code("f('y' * 2000000)", host_functions={"f": len}).error.type == "ValueError"


def test_records_are_bounded(run_code):
    limits = {"suspensions": 5000}
    result = run_code("for i in range(1200): f(i)", host_functions={"f": lambda i: i}, limits=limits)
    assert (result.status, len(result.calls), result.calls_dropped) == ("ok", 1000, 200)


def test_both_plain_and_awaited_calls_work(run_code):
    functions = {"f": lambda a: a + 1}
    assert run_code("f(1)", host_functions=functions).result == 2
    assert run_code("await f(1)", host_functions=functions).result == 2
    code = "async def g():\n  return [await f(1), f(2)]\nawait g()"
    assert run_code(code, host_functions=functions).result == [2, 3]


async def _double(a):
    await asyncio.sleep(0)
    return a * 2


def test_async_functions_run_on_the_callers_loop(monty, make_manifest, now):
    data = make_manifest(host_functions=(HostFunction(name="double"),))
    code = "import asyncio\nawait asyncio.gather(double(1), double(2))"

    async def main():
        return await arun(data, code, host_functions={"double": _double}, now=now)

    assert asyncio.run(main()).result == [2, 4]


def test_without_a_loop_an_async_function_is_an_error(run_code):
    result = run_code("await double(1)", host_functions={"double": _double})
    assert (result.status, result.error.type) == ("error", "TypeError")


def test_several_runs_at_once_do_not_mix(monty, make_manifest, now):
    async def main():
        runs = [arun(make_manifest(), f"print({n})\n{n}", now=now) for n in range(4)]
        return await asyncio.gather(*runs)

    assert [(r.result, r.stdout) for r in asyncio.run(main())] == [(n, f"{n}\n") for n in range(4)]


def test_an_async_function_that_hangs_ends_with_the_run(monty, make_manifest, now):
    data = make_manifest(limits={"wall_ms": 1000}, host_functions=(HostFunction(name="hang"),))
    cancelled = []

    async def hang():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main():
        result = await arun(data, "await hang()", host_functions={"hang": hang}, now=now)
        await asyncio.sleep(0)
        return result

    assert asyncio.run(main()).status == "timeout"
    assert cancelled == [True]


def test_cancelling_at_once(monty, make_manifest, now):
    data = make_manifest(limits={"cpu_time_ms": 60_000, "wall_ms": 60_000})

    async def main():
        task = asyncio.create_task(arun(data, "while True: pass", now=now))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)

    asyncio.run(main())


def test_cancelling_while_an_async_function_hangs(monty, make_manifest, now):
    data = make_manifest(limits={"wall_ms": 60_000}, host_functions=(HostFunction(name="hang"),))

    async def main():
        entered = asyncio.Event()

        async def hang():
            entered.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(arun(data, "await hang()", host_functions={"hang": hang}, now=now))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)

    asyncio.run(main())


def test_cancelling_kills_the_child(monty, make_manifest, now, processes):
    data = make_manifest(
        limits={"cpu_time_ms": 60_000, "wall_ms": 60_000}, host_functions=(HostFunction(name="mark"),)
    )
    pids = []

    async def main():
        ready = asyncio.Event()
        loop = asyncio.get_running_loop()

        def mark():
            pids.extend(processes.pair())
            loop.call_soon_threadsafe(ready.set)

        task = asyncio.create_task(
            arun(data, "mark()\nwhile True: pass", host_functions={"mark": mark}, now=now)
        )
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(pids) == 2
    assert not any(processes.alive(pid) and processes.read(pid, "cmdline") for pid in pids)
