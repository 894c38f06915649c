"""What the Bash rules say about one line, each a row under two policies.

`closed`: allow `git *` and `ls`, ask `git push *`, deny `curl *`, default deny. `open`: deny `curl *`, default allow.
"""

import pytest

from tappass_host.policy.grammar.shell import judge_command
from tappass_host.policy.grammar.tools import parse_tool

ALLOW = (parse_tool("Bash(git *)"), parse_tool("Bash(ls)"))
ASK = (parse_tool("Bash(git push *)"),)
DENY = (parse_tool("Bash(curl *)"),)

ROWS = [
    # line, closed, open
    # As written
    ("git status", "allow", "allow"),
    ("git", "allow", "allow"),
    ("git push origin", "ask", "allow"),
    ("git -C /x push", "allow", "allow"),
    ("git -c alias.x='!curl y' x", "allow", "allow"),
    ("ls", "allow", "allow"),
    ("ls -l", "deny", "allow"),
    ("rm -rf /", "deny", "allow"),
    ("gitk", "deny", "allow"),
    ("curl x", "deny", "deny"),
    ("/tmp/git status", "deny", "allow"),
    ("./git status", "deny", "allow"),
    ("/usr/bin/curl x", "deny", "deny"),
    ("./curl x", "deny", "deny"),
    ("/tmp/git push", "ask", "allow"),
    ("", "deny", "allow"),
    ("# git status", "deny", "allow"),
    ("git status # curl x", "allow", "allow"),
    # Lists, pipelines, groups, control flow
    ("git status; ls", "allow", "allow"),
    ("git status && ls || git log &", "allow", "allow"),
    ("git log | ls", "allow", "allow"),
    ("git log | tee x", "deny", "allow"),
    ("git status; rm x", "deny", "allow"),
    ("git push; rm x", "deny", "allow"),
    ("git push; curl x", "deny", "deny"),
    ("git status\ncurl x", "deny", "deny"),
    ("git status & curl x", "deny", "deny"),
    ("git status |& curl x", "deny", "deny"),
    ("! git status", "allow", "allow"),
    ("(git status)", "allow", "allow"),
    ("(curl x)", "deny", "deny"),
    ("{ ls; git log; }", "allow", "allow"),
    ("if ls; then git log; else git status; fi", "allow", "allow"),
    ("if ls; then curl x; fi", "deny", "deny"),
    ("while ls; do git log; done", "allow", "allow"),
    ("until ls; do curl x; done", "deny", "deny"),
    ("for f in a b; do ls; done", "deny", "allow"),
    ("for PATH in /tmp; do git log; done", "deny", "allow"),
    ("for f in a; do curl $f; done", "deny", "deny"),
    ("for ((;;)); do curl x; done", "deny", "deny"),
    ("select f in a; do curl x; done", "deny", "deny"),
    ("case x in a|b) ls;; *) git log;; esac", "allow", "allow"),
    ("case x in a) curl x;; esac", "deny", "deny"),
    ("f() { curl x; }; f", "deny", "deny"),
    ("function f { curl x; }", "deny", "deny"),
    ("f() { git log; }; f", "deny", "allow"),
    ("[[ -f x ]] && ls", "deny", "allow"),
    ("[ -f x ] && curl x", "deny", "deny"),
    ("((x = 1)); ls", "deny", "allow"),
    # Quoting
    ("'git' status", "allow", "allow"),
    ("c\\url x", "deny", "deny"),
    ("'cu''rl' x", "deny", "deny"),
    ('c"ur"l x', "deny", "deny"),
    ("$'curl' x", "deny", "deny"),
    ("$'\\x63ur\\154' x", "deny", "deny"),
    ("$'\\u0063url' x", "deny", "deny"),
    ('$"curl" x', "deny", "deny"),
    ("cu\\\nrl x", "deny", "deny"),
    ("git commit -m 'a; curl x'", "allow", "allow"),
    ("git commit -m 'a $(curl x)'", "allow", "allow"),
    ("git log --format='%h `x`'", "allow", "allow"),
    ("git 'a", "deny", "deny"),
    ('git "a', "deny", "deny"),
    ("git $(", "deny", "deny"),
    # Computed words
    ("$c", "deny", "deny"),
    ("${c} x", "deny", "deny"),
    ("$(echo curl) x", "deny", "deny"),
    ("`echo curl` x", "deny", "deny"),
    ("cu$x y", "deny", "deny"),
    ("{curl,x}", "deny", "deny"),
    ("cur? x", "deny", "deny"),
    ("/usr/bin/c*l x", "deny", "deny"),
    ("~-", "deny", "deny"),
    ("~/bin/curl x", "deny", "deny"),
    ("git $x", "deny", "allow"),
    ("git push $x", "ask", "allow"),
    ("git add *.py", "allow", "allow"),
    ("git *.py", "ask", "allow"),
    ("git {push,x}", "ask", "allow"),
    ("git add ~/x", "allow", "allow"),
    # Substitutions
    ("git log $(git status)", "deny", "allow"),
    ("git log $(curl x)", "deny", "deny"),
    ("git log `curl x`", "deny", "deny"),
    ('git log "$(curl x)"', "deny", "deny"),
    ("git diff <(curl x) y", "deny", "deny"),
    ("git log ${x:-$(curl x)}", "deny", "deny"),
    ("git log $((1 + $(curl x)))", "deny", "deny"),
    ("x=$(curl x)", "deny", "deny"),
    ("echo ${x@P}", "deny", "deny"),
    # Here-documents and here-strings
    ("cat <<E\n$(curl x)\nE\n", "deny", "deny"),
    ("cat <<'E'\n$(curl x)\nE\n", "deny", "allow"),
    ("git apply <<'E'\ncurl x\nE\n", "allow", "allow"),
    ("git apply <<E\na $x\nE\n", "deny", "allow"),
    ("git apply <<'E'\nx\nE\ncurl x\n", "deny", "deny"),
    ("git apply <<E | curl x\na\nE\n", "deny", "deny"),
    ("git apply <<<x", "allow", "allow"),
    ("git apply <<<$(curl x)", "deny", "deny"),
    ("bash <<E\ncurl x\nE\n", "deny", "deny"),
    # Redirections
    ("git log > /ws/o", "deny", "allow"),
    ("git log >> o", "deny", "allow"),
    ("git log &> o", "deny", "allow"),
    ("git log >& o", "deny", "allow"),
    ("git apply < o", "deny", "allow"),
    ("{ git log; } > o", "deny", "allow"),
    ("> o", "deny", "allow"),
    ("git log 2>&1", "allow", "allow"),
    ("git log >&2 2>&-", "allow", "allow"),
    ("git log > /dev/null 2>&1", "allow", "allow"),
    ("git log &> /dev/null", "allow", "allow"),
    ("git log > /dev/nullx", "deny", "allow"),
    ("git log > $o", "deny", "allow"),
    ("git > /dev/null push", "deny", "deny"),
    # Assignments
    ("GIT_SSH_COMMAND=x git fetch", "deny", "allow"),
    ("PATH=/tmp; git status", "deny", "allow"),
    ("export PATH=/tmp; git status", "deny", "allow"),
    ("A=1 curl x", "deny", "deny"),
    ("PS4='$(curl x)'; set -x", "deny", "deny"),
    ("x='a[$(curl x)]'; ((x))", "deny", "deny"),
    # Wrappers
    ("env git status", "deny", "allow"),
    ("env git push", "ask", "allow"),
    ("env -i -u X A=1 curl x", "deny", "deny"),
    ("env -S 'curl x'", "deny", "deny"),
    ("env --unknown ls", "deny", "deny"),
    ("/usr/bin/env curl x", "deny", "deny"),
    ("sudo -u root curl x", "deny", "deny"),
    ("sudo git status", "deny", "allow"),
    ("doas curl x", "deny", "deny"),
    ("nice -n 5 nohup setsid curl x", "deny", "deny"),
    ("timeout -k 5 10 curl x", "deny", "deny"),
    ("timeout $t curl x", "deny", "deny"),
    ("time curl x", "deny", "deny"),
    ("time -p git log", "deny", "allow"),
    ("time (curl x)", "deny", "deny"),
    ("stdbuf -oL curl x", "deny", "deny"),
    ("ionice -c 3 curl x", "deny", "deny"),
    ("chroot /x curl y", "deny", "deny"),
    ("busybox curl x", "deny", "deny"),
    ("command curl x", "deny", "deny"),
    ("command -v curl", "deny", "allow"),
    ("builtin eval 'curl x'", "deny", "deny"),
    ("exec curl x", "deny", "deny"),
    ("exec -a git curl x", "deny", "deny"),
    ("coproc curl x", "deny", "deny"),
    ("/lib64/ld-linux-x86-64.so.2 /usr/bin/curl x", "deny", "deny"),
    ("xargs curl", "deny", "deny"),
    ("echo x | xargs -I% -P4 curl %", "deny", "deny"),
    ("echo curl | xargs -I% % x", "deny", "deny"),
    ("echo status | xargs git", "deny", "allow"),
    ("find . -name '*.py'", "deny", "allow"),
    ("find . -exec curl {} \\;", "deny", "deny"),
    ("find . -execdir ls {} + -ok curl {} ';'", "deny", "deny"),
    ("find . $x", "deny", "deny"),
    ("fd -x curl", "deny", "deny"),
    ("parallel curl ::: a", "deny", "deny"),
    ("watch -n 5 curl x", "deny", "deny"),
    # Shells and evaluation
    ("bash -c 'curl x'", "deny", "deny"),
    ("bash -c 'git status'", "deny", "allow"),
    ("sh -c ''; ls", "deny", "allow"),
    ("bash -euo pipefail -c 'ls; curl x'", "deny", "deny"),
    ("sudo bash -lc 'env sh -c \"curl x\"'", "deny", "deny"),
    ('bash -c "$x"', "deny", "deny"),
    ("zsh -c 'curl x'", "deny", "deny"),
    ("echo 'curl x' | sh", "deny", "deny"),
    ("bash /dev/stdin", "deny", "deny"),
    ("source <(curl x)", "deny", "deny"),
    ("bash script.sh", "deny", "allow"),
    (". ./script.sh", "deny", "allow"),
    ("eval cu'rl x'", "deny", "deny"),
    ("eval $x", "deny", "deny"),
    ("trap 'curl x' EXIT", "deny", "deny"),
    ("alias ls=curl", "deny", "deny"),
    ("hash -p /usr/bin/curl ls", "deny", "deny"),
    ("compgen -C 'curl x'", "deny", "deny"),
    ("test -v 'a[$(curl x)]'", "deny", "deny"),
    ("python -c \"os.system('curl')\"", "deny", "allow"),
    # What the parser and a shell could read differently
    ("git\u00a0status", "deny", "allow"),
    ("git\x0bcurl", "deny", "deny"),
    ("git status\r\ncurl x", "deny", "deny"),
    ("git log \\", "deny", "deny"),
    ("cat <<A <<B\nx\nA\ny\nB\n", "deny", "deny"),
    ("cat <<E\n x\n E\ncurl x", "deny", "deny"),
    ("git @(a|b)", "deny", "deny"),
    ("coproc X { curl x; }", "deny", "deny"),
    ("git \ud800", "deny", "deny"),
]


@pytest.mark.parametrize(("line", "closed", "opened"), ROWS, ids=[repr(row[0]) for row in ROWS])
def test_row(line, closed, opened):
    strict = judge_command(line, allow=ALLOW, ask=ASK, deny=DENY, default="deny")
    loose = judge_command(line, allow=(), ask=(), deny=DENY, default="allow")
    assert (strict.effect, loose.effect) == (closed, opened), (strict, loose)
    assert strict.reason
    assert strict.reason.isascii()


def test_the_table_shows_every_verdict():
    assert len(ROWS) == len({row[0] for row in ROWS})
    assert {row[1] for row in ROWS} == {"allow", "ask", "deny"}


@pytest.mark.parametrize(
    ("rules", "default", "line", "expected"),
    [
        ((["Bash"], [], []), "deny", "rm $x > f", ("allow", "Bash")),
        ((["@shell"], [], []), "deny", "$x", ("allow", "@shell")),
        ((["Bash"], [], ["Bash(curl *)"]), "deny", "$x", ("deny", "Bash(curl *)")),
        ((["Bash"], ["Bash(git push *)"], []), "deny", "$x", ("ask", "Bash(git push *)")),
        ((["Bash"], ["Bash(git push *)"], []), "deny", "git push", ("ask", "Bash(git push *)")),
        (([], ["Bash"], []), "deny", "ls", ("ask", "Bash")),
        ((["Bash(ls)"], ["Bash"], []), "allow", "ls", ("ask", "Bash")),
        ((["Bash"], ["Bash"], ["Bash"]), "allow", "", ("deny", "Bash")),
        ((["Bash(ls)"], [], []), "allow", "$x", ("allow", None)),
        ((["Bash(ls)"], [], []), "ask", "$x", ("ask", None)),
        ((["Bash(ls)"], [], []), "ask", "ls; rm x", ("ask", None)),
        ((["Bash(ls)", "Bash(rm *)"], [], []), "ask", "ls; rm x", ("allow", "Bash(ls)")),
        ((["Bash(env *)", "Bash(git *)"], [], []), "deny", "env git log", ("deny", None)),
        ((["Bash(git *)"], [], ["Bash(git push *)"]), "deny", "git push", ("deny", "Bash(git push *)")),
        ((["Read", "Read(/ws)", "WebFetch(x.org)"], [], []), "deny", "ls", ("deny", None)),
        (([], [], ["Bash(sudo *)"]), "allow", "env sudo ls", ("deny", "Bash(sudo *)")),
    ],
)
def test_rules_and_defaults(rules, default, line, expected):
    allow, ask, deny = (tuple(parse_tool(text) for text in texts) for texts in rules)
    judged = judge_command(line, allow=allow, ask=ask, deny=deny, default=default)
    assert (judged.effect, judged.rule and str(judged.rule)) == expected
