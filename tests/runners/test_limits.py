"""Each limit with its positive control: just below it the code succeeds."""

import pytest

# name, limits, code that stays below, code that goes beyond, status, type of the error
CASES = [
    ("endless loop", {"cpu_time_ms": 300}, "sum(range(1000))", "while True: pass", "timeout", "TimeoutError"),
    (
        "endless loop that catches everything",
        {"cpu_time_ms": 300},
        "sum(range(1000))",
        "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
        "timeout",
        "TimeoutError",
    ),
    ("one long operation", {"cpu_time_ms": 300}, "len(str(9**999))", "9**9**9", "memory", "MemoryError"),
    ("list", {}, "len([0] * 10**5)", "[0] * 10**9", "memory", "MemoryError"),
    ("text", {}, "len('a' * 10**6)", "'a' * 10**12", "memory", "MemoryError"),
    ("growing list", {}, "x = []\nfor i in range(100): x.append('a' * 1000)", "x = []\nwhile True: x.append('a' * 10**5)", "memory", "MemoryError"),
    (
        "memory error caught",
        {},
        "1",
        "try:\n  [0] * 10**9\nexcept BaseException: pass\n'went on'",
        "memory",
        "MemoryError",
    ),
    ("recursion", {"recursion": 50}, "def f(n): return n and f(n - 1)\nf(20)", "def f(n): return n and f(n - 1)\nf(200)", "error", "RecursionError"),
    ("deep recursion", {}, "1", "def f(): return f()\nf()", "error", "RecursionError"),
    ("sleep", {"sleep_ms": 200}, "import time\ntime.sleep(0.05)", "import time\ntime.sleep(0.5)", "timeout", "TimeoutError"),
    ("many short sleeps", {"sleep_ms": 200}, "import time\ntime.sleep(0.05)", "import time\nfor i in range(9): time.sleep(0.04)", "timeout", "TimeoutError"),
    ("no sleep at all", {"sleep_ms": 0}, "import time\ntime.sleep(0)", "import time\ntime.sleep(0.01)", "timeout", "TimeoutError"),
    ("async sleep", {"sleep_ms": 200}, "import asyncio\nawait asyncio.sleep(0.05)", "import asyncio\nawait asyncio.sleep(0.5)", "timeout", "TimeoutError"),
    ("sleep caught", {"sleep_ms": 100}, "1", "import time\ntry:\n  time.sleep(9)\nexcept BaseException: pass\n1", "timeout", "TimeoutError"),
    ("suspensions", {"suspensions": 20}, "for i in range(10):\n  try: nope()\n  except NameError: pass", "for i in range(50):\n  try: nope()\n  except NameError: pass", "denied", "RuntimeError"),
    ("output", {"stdout_bytes": 100}, "print('x' * 99)", "print('x' * 100)", "memory", "OutputLimitError"),
    ("output flood", {"stdout_bytes": 5000}, "print('x')", "while True: print('x' * 100)", "memory", "OutputLimitError"),
    ("output flood of nothing", {"stdout_bytes": 5000}, "print('x')", "while True: print()", "memory", "OutputLimitError"),
    ("output caught", {"stdout_bytes": 100}, "1", "try:\n  print('x' * 200)\nexcept BaseException: pass\n1", "memory", "OutputLimitError"),
    ("result", {"result_bytes": 100}, "'x' * 98", "'x' * 99", "memory", "ResultLimitError"),
    ("wall clock", {"wall_ms": 1500, "cpu_time_ms": 60_000}, "1", "while True: pass", "timeout", "TimeoutError"),
    ("wall clock while asleep", {"wall_ms": 1500, "sleep_ms": 60_000}, "1", "import time\ntime.sleep(50)", "timeout", "TimeoutError"),
    ("regular expression", {}, "import re\nre.match('(a+)+$', 'aaa').group()", "import re\nre.match('(a+)+$', 'a' * 4000 + 'b').group()", "error", "AttributeError"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "below", "beyond", "expected"), [(*c[1:4], c[4:]) for c in CASES], ids=[c[0] for c in CASES]
)
def test_limit(run_code, limits, below, beyond, expected):
    control = run_code(below, limits=limits)
    assert control.status == "ok", control
    result = run_code(beyond, limits=limits)
    assert (result.status, result.error.type) == expected, result
    assert result.result is None
    assert result.usage.wall_ms < 8000


def test_output_is_kept_up_to_the_limit_and_streamed(run_code):
    pieces = []
    result = run_code(
        "while True: print('0123456789')", limits={"stdout_bytes": 1000}, on_stdout=pieces.append
    )
    assert len(result.stdout) == 1000
    assert "".join(pieces) == result.stdout
    assert result.stdout.startswith("0123456789\n0123456789\n")


def test_output_comes_while_the_code_runs(run_code):
    seen = []

    pieces = []
    functions = {"look": lambda: seen.append("".join(pieces))}
    result = run_code(
        "print('early')\nlook()\nprint('late')", on_stdout=pieces.append, host_functions=functions
    )
    assert result.stdout == "early\nlate\n"
    assert seen == ["early\n"]


@pytest.mark.parametrize("error", [ValueError, BrokenPipeError, KeyboardInterrupt])
def test_an_error_of_the_listener_is_the_callers_own(run_code, error):
    def listener(text):
        raise error(text)

    with pytest.raises(error):
        run_code("print('x')", on_stdout=listener)


def test_a_pretended_limit_is_only_an_error(run_code):
    for code in ("raise TimeoutError('no')", "raise MemoryError('no')", "raise PermissionError('no')"):
        assert run_code(code).status == "error"


def test_stderr_counts_as_output(run_code):
    result = run_code("import sys\nprint('e', file=sys.stderr)")
    assert result.stdout == "e\n"
