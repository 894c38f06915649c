import pytest

from tappass_host.runners.imports import ImportRefusedError, check_imports
from tappass_host.sdk.configs.interpreter import Imports

# Every module monty 1.4 has.
MODULES = [
    "os",
    "sys",
    "json",
    "re",
    "math",
    "datetime",
    "pathlib",
    "asyncio",
    "random",
    "base64",
    "hashlib",
    "time",
    "collections",
    "itertools",
    "functools",
    "csv",
    "typing",
    "dataclasses",
    "decimal",
    "copy",
    "tomllib",
]

# code, allow, deny, permitted
TABLE = [
    ("import os", None, ["os"], False),
    ("import os", None, ["json"], True),
    ("import os", ["os"], [], True),
    ("import os", [], [], False),
    ("import json, os", None, ["os"], False),
    ("import os as o", None, ["os"], False),
    ("from os import getcwd", None, ["os"], False),
    ("from os import path", None, ["os.path"], False),
    ("import os", None, ["os.path"], False),
    ("from os import getcwd", None, ["os.path"], True),
    ("import os.path", ["os.path"], [], False),
    ("import os.path as p", ["os.path"], [], True),
    ("from os import path", ["os.path"], [], True),
    ("from os import getcwd", ["os.path"], [], False),
    ("import osx", None, ["os"], True),
    ("from os import *", None, ["os"], False),
    ("from . import os", None, ["json"], False),
    ("def f():\n  import os", None, ["os"], False),
    ("if 0:\n  import os", None, ["os"], False),
    ("class A:\n  try:\n    import os\n  except Exception: pass", None, ["os"], False),
    ("lambda: __import__('os')", None, ["os"], False),
    ("exec('import os')", None, ["os"], False),
    ("e = exec\ne('import os')", None, ["os"], False),
    ("[eval][0]('1')", ["json"], [], False),
    ("f'{exec}'", None, ["os"], False),
    ("\uff45xec('import os')", None, ["os"], False),  # full-width e: the same identifier by NFKC
    ("import \uff4fs", None, ["os"], False),
    ("import importlib", None, ["os"], True),
    ("importlib.import_module('os')", None, ["os"], False),
    ("x = 'import os'", None, ["os"], True),
    ("# import os", None, ["os"], True),
    ("1\x0cimport os", None, ["os"], False),
    ("# a\x0bimport os", None, ["os"], False),
    ("# a\u2028import os", None, ["os"], False),
    ("# a\rimport os", None, ["os"], False),
    ("exec('1')", None, [], True),
]


@pytest.mark.parametrize(("code", "allow", "deny", "permitted"), TABLE)
def test_table(code, allow, deny, permitted):
    if permitted:
        check_imports(code, allow, deny)
    else:
        with pytest.raises(ImportRefusedError):
            check_imports(code, allow, deny)


@pytest.mark.parametrize("code", ["import", "(" * 300, "-" * 200_000 + "1", "x = '", "\0"])
def test_what_cannot_be_parsed_is_never_passed(code):
    with pytest.raises((SyntaxError, ImportRefusedError)):
        check_imports(code, None, ["os"])


@pytest.mark.parametrize("module", ["os", "sys", "tomllib"])
def test_a_denied_module_cannot_be_imported(run_code, module):
    denied = run_code(f"import {module}\n'imported'", imports=Imports(deny=(module,)))
    assert (denied.status, denied.ran, denied.result) == ("denied", False, None)
    assert [(c.name, c.verdict) for c in denied.calls] == [(f"import {module}", "deny")]


def test_an_allowed_module_can_be_imported(run_code):
    code = "\n".join(f"import {module}" for module in MODULES) + "\n'imported'"
    assert run_code(code, imports=Imports(allow=tuple(MODULES))).result == "imported"
    assert run_code(code, imports=Imports(allow=tuple(MODULES[1:]))).status == "denied"


def test_nothing_runs_before_the_check(run_code):
    code = "print('ran')\nimport os"
    assert run_code(code).stdout == "ran\n"
    assert run_code(code, imports=Imports(deny=("os",))).stdout == ""


def test_text_made_into_code_is_why_exec_is_refused_where_imports_are(run_code):
    code = "exec('import os\\nprint(os.getcwd())')"
    assert run_code(code).stdout == "/\n"  # control: without the refusal this does import
    refused = run_code(code, imports=Imports(deny=("os",)))
    assert (refused.status, refused.stdout) == ("denied", "")


# Ways to a module or to `exec` that need no name the check looks for. Each must fail inside monty.
DETOURS = [
    "().__class__.__base__.__subclasses__()",
    "(lambda: 1).__globals__",
    "(lambda: 1).__builtins__",
    "print.__self__",
    "print.__globals__",
    "len.__class__.__getattribute__(len, '__self__')",
    "import json\njson.__builtins__",
    "import json\njson.__dict__",
    "import json\njson.__loader__",
    "import sys\nsys.modules",
    "import sys\nsys._getframe()",
    "import typing\ntyping.get_type_hints",
    "import typing\ntyping.ForwardRef('x')._evaluate",
    "import functools\nfunctools.reduce.__globals__",
    "import dataclasses\ndataclasses.make_dataclass",
    "locals()['ex' + 'ec']",
    "vars()['ex' + 'ec']",
    "getattr(1, '__class__').__mro__[1].__subclasses__()",
    "'{0.__globals__}'.format(lambda: 1)",
    "try:\n  1/0\nexcept Exception as e:\n  x = e.__traceback__.tb_frame\nx.f_builtins",
    "import copy\ncopy.copyreg",
    "import collections\ncollections.namedtuple('A', 'b').__new__.__globals__",
    "type('A', (), {}).__init__.__globals__",
    "async def f(): pass\nf().cr_frame",
]


def test_no_detour_leads_to_a_module(outcomes):
    ends = outcomes(["1", *DETOURS], imports=Imports(deny=("os",)))
    assert ends.pop("1") == "went through"
    assert {code: end for code, end in ends.items() if not end.endswith("Error")} == {}


def test_no_module_hands_out_another(run_code):
    probes = [
        f"try:\n  found.append(['{a}', '{b}', str({a}.{b})])\nexcept AttributeError:\n  count += 1"
        for a in MODULES
        for b in (*MODULES, "exec", "eval", "builtins", "importlib", "__import__")
        if (a, b) not in SAME_NAME
    ]
    code = "\n".join(
        [f"import {m}" for m in MODULES] + ["found = []", "count = 0", *probes, "[count, found]"]
    )
    result = run_code(code)
    assert result.result == [len(probes), []], result


# Functions and classes that happen to bear the name of a module.
SAME_NAME = {
    ("datetime", "datetime"),
    ("datetime", "time"),
    ("time", "time"),
    ("copy", "copy"),
    ("random", "random"),
}


def test_the_engine_parses_what_the_check_parsed(run_code):
    """Sources on which two parsers could differ: the engine must not find an import the check did not see."""
    hidden = [
        "x = '''\nimport os\n'''",
        "x = 'a\\\nimport os'",
        "x = f'{1}import os'",
        "x = (1,\n'import os')",
        "# coding: utf-7\n# +AAo-import os",
        "# -*- coding: rot13 -*-\nx = 'vzcbeg bf'",
        "x = '\\N{LINE FEED}import os'",
        "if True:\n\tx = 1\n\t# import os",
    ]
    for code in hidden:
        probe = f"{code}\ntry:\n  os\n  y = 'leaked'\nexcept NameError:\n  y = 'safe'\ny"
        assert run_code(probe, imports=Imports(deny=("os",))).result == "safe", code
