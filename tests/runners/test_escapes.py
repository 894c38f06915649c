"""Attempts to leave the language. Each must fail inside, and do nothing outside; the controls show the tool works."""

import pytest

ATTEMPTS = [
    "().__class__.__base__.__subclasses__()",
    "().__class__.__bases__[0]",
    "''.__class__.__mro__",
    "type(1).__subclasses__(int)",
    "__import__('os')",
    "__builtins__",
    "globals()",
    "compile('1', 'a', 'eval')",
    "open.__self__",
    "(lambda: 1).__code__",
    "(lambda: 1).__globals__",
    "(lambda: 1).__closure__",
    "'{0.__class__.__init__.__globals__}'.format(1)",
    "f'{(lambda: 1).__globals__}'",
    "import sys\nsys.modules['os']",
    "import sys\nsys._getframe()",
    "import sys\nsys.setrecursionlimit(10**9)",
    "import os\nos.system('id')",
    "import os\nos.fork()",
    "import os\nos.execv('/bin/sh', ['sh'])",
    "import os\nos.popen('id').read()",
    "import os\nos.kill(1, 9)",
    "import os\nos.urandom(8)",
    "import os\nos.open('/etc/passwd', 0)",
    "import subprocess",
    "import socket",
    "import ctypes",
    "import threading",
    "import multiprocessing",
    "import urllib.request",
    "import http.client",
    "import importlib",
    "import builtins",
    "import gc",
    "import inspect",
    "import types",
    "import pickle",
    "import asyncio\nasyncio.create_subprocess_exec",
    "import asyncio\nasyncio.open_connection",
    "import pathlib\npathlib.Path('/etc/passwd').read_text()",
    "import pathlib\npathlib.Path.home()",
    "import tomllib\ntomllib.load(open('/etc/passwd', 'rb'))",
    "input()",
    "breakpoint()",
    "try:\n  1/0\nexcept Exception as e:\n  x = e.__traceback__\nx.tb_frame.f_back",
    "class A:\n  def __del__(self): pass\nA.__del__.__globals__",
    "def f(): pass\nf.__code__ = 1",
]


# These end the text before it runs, or the run itself, so each needs a run of its own.
FATAL = [
    "class M(type): pass\nclass A(metaclass=M): pass",
    "raise SystemExit(3)",
    "raise KeyboardInterrupt",
    "del open",
    "def g():\n  yield\ng().gi_frame.f_back",
    "from os import *",
    "import sys\nsys.exit()",
    "async def f(): await f()\nawait f()",
]


def test_every_attempt_fails_inside(outcomes):
    ends = outcomes(["1", "import json", *ATTEMPTS])
    assert [ends.pop("1"), ends.pop("import json")] == ["went through"] * 2
    assert {code: end for code, end in ends.items() if not end.endswith(("Error", "NotFound"))} == {}


@pytest.mark.parametrize("code", FATAL)
def test_attempt_fails_inside(run_code, code):
    result = run_code(code)
    assert result.status in ("error", "denied"), result
    assert result.result is None


CONTROLS = [
    ("sum(i * i for i in range(10))", 285),
    ("import json\njson.loads('[1]')", [1]),
    ("import re\nre.findall('a+', 'aabaa')", ["aa", "aa"]),
    ("class A:\n  def f(self): return 3\nA().f()", 3),
    ("try:\n  1/0\nexcept ZeroDivisionError:\n  x = 'caught'\nx", "caught"),
    ("async def f(): return 5\nawait f()", 5),
    ("eval('1 + 1')", 2),
]


@pytest.mark.parametrize(("code", "value"), CONTROLS)
def test_ordinary_code_works(run_code, code, value):
    assert run_code(code).result == value


@pytest.mark.parametrize("name", ["socket", "subprocess", "ctypes"])
def test_modules_the_engine_lacks_are_recorded(run_code, name):
    result = run_code(f"try:\n  import {name}\nexcept ImportError: pass\n1")
    assert result.result == 1
    assert [(c.name, c.verdict) for c in result.calls] == [(f"import {name}", "deny")]


def test_input_is_a_value_not_code(run_code):
    value = {"a": ["__import__('os')", 1, None, 2.5, {"b": "\u2028'\"\\"}]}
    assert run_code("input", value=value).result == value


VALUES = [
    ("{1: 2}", {"1": 2}),
    ("(1, [2])", [1, [2]]),
    ("{3}", [3]),
    ("10**30", 10**30),
    ("1.5", 1.5),
    ("'\\ud800'", "\ufffd"),
    ("import datetime\ndatetime.date(2027, 1, 2)", "2027-01-02"),
    ("None", None),
]


@pytest.mark.parametrize(("code", "value"), VALUES)
def test_results_become_json(run_code, code, value):
    result = run_code(code)
    assert (result.status, result.result) == ("ok", value)


NO_JSON = [
    "float('nan')",
    "b'x'",
    "class A: pass\nA()",
    "[float('inf')]",
    "10**5000",
    "{(1, 2): 3}",
    "exec",
    "1j",
]


@pytest.mark.parametrize("code", NO_JSON)
def test_results_that_are_no_json_are_an_error(run_code, code):
    result = run_code(code)
    assert (result.status, result.result) == ("error", None)


@pytest.mark.parametrize("code", ["lambda: 1", "x = []\nx.append(x)\nx"])
def test_objects_that_cross_as_text_are_text(run_code, code):
    assert isinstance(run_code(code).result, str | list)
