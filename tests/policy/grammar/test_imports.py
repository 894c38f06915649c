"""Start-up time is a feature: grammars load their heavy libraries only when a text needs them."""

import subprocess
import sys

PROBE = """
import sys
from tappass_host.policy.grammar.addresses import local_kind, parse_cidr
from tappass_host.policy.grammar.constraints import parse_constraint
from tappass_host.policy.grammar.domains import parse_domain
from tappass_host.policy.grammar.shell import judge_command, parse_command_line
from tappass_host.policy.grammar.tools import parse_tool
parse_tool("Bash(git *)"), parse_tool("Read(/a)"), parse_domain("*.x.org"), parse_cidr("10.0.0.0/8")
parse_constraint('{"const":1}')
heavy = {"idna", "re2", "tree_sitter", "tree_sitter_bash", "asyncio", "cryptography", "yaml"}
print(sorted(heavy & set(sys.modules)))
parse_domain("b\\u00fccher.de"), parse_constraint('{"pattern":"a"}'), parse_command_line("ls")
print(sorted(heavy & set(sys.modules)))
"""


def test_heavy_libraries_are_loaded_on_demand():
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["[]", "['idna', 're2', 'tree_sitter', 'tree_sitter_bash']"]
