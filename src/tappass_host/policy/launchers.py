"""Programs that run other programs: an allow rule for them allows more than its name says. A table.

A prefix rule cannot read options, so `Bash(git *)` also allows `git -c alias.x='!anything' x`. What then runs
is judged where it acts (files, network, processes); these rows only say so to whoever wrote the rule.
"""

from typing import Final

_OPTIONS = "takes options that run a program"
_SCRIPTS = "runs what the project's own files say"
_CODE = "runs code from its arguments"
_ANY = "runs the command it is given"

# First words of a command -> how it runs something else.
LAUNCHERS: Final[dict[tuple[str, ...], str]] = {
    ("git",): "runs aliases, hooks, pagers and transports: git -c alias.x='!command' x",
    ("git", "bisect"): "bisect run runs the command it is given",
    ("git", "config"): "sets what later git commands run (core.fsmonitor, aliases, hooks)",
    ("git", "rebase"): "rebase --exec runs the command it is given",
    ("git", "submodule"): "submodule foreach runs the command it is given",
    ("hg",): "runs aliases, hooks and extensions",
    ("gh",): "runs aliases and extensions",
    **dict.fromkeys(
        [
            (name,)
            for name in ("npm", "pnpm", "yarn", "bun", "make", "gradle", "mvn", "tox", "nox", "just", "rake")
        ],
        _SCRIPTS,
    ),
    **dict.fromkeys([(name,) for name in ("pytest", "cargo", "go", "bundle", "composer", "cmake")], _SCRIPTS),
    ("npm", "run"): _SCRIPTS,
    ("npm", "exec"): _ANY,
    ("npx",): "runs any package by name",
    ("uv",): "runs what it is given, in an environment of any packages",
    ("uvx",): "runs any package by name",
    ("pip",): "runs the build scripts of what it installs",
    **dict.fromkeys(
        [
            (n,)
            for n in ("python", "python3", "node", "deno", "perl", "ruby", "php", "lua", "Rscript", "java")
        ],
        _CODE,
    ),
    **dict.fromkeys([(name,) for name in ("bash", "sh", "zsh", "dash", "fish", "ksh", "eval")], _CODE),
    **dict.fromkeys(
        [(name,) for name in ("awk", "gawk", "sed", "jq", "sqlite3", "psql", "mysql", "gdb")], _CODE
    ),
    **dict.fromkeys([(name,) for name in ("find", "fd", "tar", "rsync", "zip", "sort", "split")], _OPTIONS),
    **dict.fromkeys(
        [(name,) for name in ("vim", "vi", "nano", "emacs", "less", "man", "more")], "has a shell in it"
    ),
    **dict.fromkeys(
        [
            (name,)
            for name in (
                *(
                    "env",
                    "xargs",
                    "sudo",
                    "su",
                    "doas",
                    "nohup",
                    "timeout",
                    "time",
                    "nice",
                    "watch",
                    "setsid",
                ),
                *(
                    "strace",
                    "ltrace",
                    "parallel",
                    "script",
                    "flock",
                    "stdbuf",
                    "chroot",
                    "unshare",
                    "busybox",
                ),
            )
        ],
        _ANY,
    ),
    **dict.fromkeys(
        [(n,) for n in ("ssh", "docker", "podman", "kubectl", "systemd-run", "at", "crontab")], _ANY
    ),
}

# Suffixes under which anyone can publish: allowing all of them allows a stranger's server.
SHARED_HOSTING: Final = (
    "amazonaws.com",
    "appspot.com",
    "azureedge.net",
    "azurewebsites.net",
    "blob.core.windows.net",
    "cloudfront.net",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "glitch.me",
    "herokuapp.com",
    "netlify.app",
    "onrender.com",
    "pages.dev",
    "repl.co",
    "run.app",
    "storage.googleapis.com",
    "surge.sh",
    "vercel.app",
    "web.app",
    "workers.dev",
)

# Hosts of model vendors: reached directly, a gateway and its budget are passed by.
MODEL_VENDORS: Final = (
    "api.anthropic.com",
    "api.cohere.com",
    "api.deepseek.com",
    "api.groq.com",
    "api.mistral.ai",
    "api.openai.com",
    "api.perplexity.ai",
    "api.together.xyz",
    "api.x.ai",
    "generativelanguage.googleapis.com",
    "openrouter.ai",
)
