"""What Claude Code 2.1.330 brings by itself: its tools, and what it runs without asking anyone.

Found by sweeping the real binary on 2026-11-23; a live test compares what the pinned version has.
"""

from typing import Final

VERSIONS: Final = ("2.1.330",)

# Canonical tool -> native tools that do that. `Monitor` runs a command and is judged by the Bash rules.
NATIVE: Final[dict[str, tuple[str, ...]]] = {
    "Bash": ("Bash", "Monitor", "PowerShell"),
    "Read": ("Read",),
    "Write": ("Edit", "NotebookEdit", "Write"),
    "WebFetch": ("WebFetch",),
    "WebSearch": ("WebSearch",),
    "Task": ("Agent",),
}

# Everything else it has: bookkeeping of its own, the group `@internal` of a policy. A bare deny removes one.
INTERNAL: Final = (
    "Artifact", "AskUserQuestion", "ClaudeDesign", "CronCreate", "CronDelete", "CronList",
    "EndConversation", "EnterPlanMode", "EnterWorktree", "ExitPlanMode", "ExitWorktree", "Glob", "Grep",
    "LSP", "ListAgents", "ListMcpResourcesTool", "OfferChromeSetup", "Projects", "PushNotification",
    "ReadMcpResourceDirTool", "ReadMcpResourceTool", "ReadNotifications", "RemoteTrigger",
    "ReportFindings", "ScheduleWakeup", "SendFeedback", "SendMessage", "SendUserFile",
    "SendUserMessage", "SetGoal", "ShareOnboardingGuide", "ShowOnboardingRolePicker", "Skill",
    "SubagentHandback", "TaskCreate", "TaskGet", "TaskList", "TaskStop", "TaskUpdate", "TodoWrite",
    "ToolSearch", "WaitForMcpServers", "Workflow", "propose_skills",
)  # fmt: skip

# Command prefixes that run without any rule, even in mode dontAsk: its own idea of harmless reading.
READ_ONLY_COMMANDS: Final = (
    "[[", "arch", "base64", "basename", "cal", "cat", "cd", "claude --help", "claude -h", "cmp",
    "column", "comm", "cut", "date", "df", "diff", "dirname", "docker images", "docker inspect",
    "docker logs", "docker ps", "du", "echo", "egrep", "expand", "expr", "false", "fd", "fdfind",
    "fgrep", "file", "find", "fmt", "fold", "free", "git blame", "git branch", "git cat-file",
    "git config --get", "git describe", "git diff", "git for-each-ref", "git grep", "git log",
    "git ls-files", "git ls-remote", "git merge-base", "git reflog", "git remote", "git remote show",
    "git rev-list", "git rev-parse", "git shortlog", "git show", "git stash list", "git stash show",
    "git status", "git tag", "git worktree list", "grep", "groups", "head", "help", "hexdump",
    "history", "hostname", "id", "ifconfig", "ip addr", "jq", "locale", "ls", "lsof", "man", "md5sum",
    "netstat", "nl", "node --version", "node -v", "nproc", "numfmt", "od", "paste", "pgrep", "pr",
    "printf", "ps", "pwd", "python --version", "python3 --version", "readlink", "realpath", "rev", "rg",
    "sed", "seq", "sha1sum", "sha256sum", "sleep", "sort", "ss", "stat", "strings", "tac", "tail",
    "test", "tput", "tr", "tree", "true", "tsort", "type", "uname", "unexpand", "uniq", "uptime", "wc",
    "which", "whoami", "xargs",
)  # fmt: skip

# Hosts that WebFetch reaches without any rule: its own idea of harmless documentation.
PREAPPROVED_HOSTS: Final = (
    "agentskills.io", "angular.io", "asp.net", "blazor.net", "bun.sh", "claude.com/docs", "claude.dev",
    "cloud.google.com", "code.claude.com", "cypress.io", "d3js.org", "dev.mysql.com",
    "dev.wix.com/docs", "devcenter.heroku.com", "developer.android.com", "developer.apple.com",
    "developer.mozilla.org", "doc.rust-lang.org", "docs.aws.amazon.com", "docs.djangoproject.com",
    "docs.flutter.dev", "docs.getdbt.com", "docs.netlify.com", "docs.oracle.com", "docs.python.org",
    "docs.spring.io", "docs.stripe.com", "docs.swift.org", "docs.unity.com", "docs.unrealengine.com",
    "dotnet.microsoft.com", "en.cppreference.com", "expressjs.com", "fastapi.tiangolo.com",
    "flask.palletsprojects.com", "getbootstrap.com", "git-scm.com", "github.com/anthropic-experimental",
    "github.com/anthropics", "go.dev/doc", "go.dev/ref", "gradle.org", "graphql.org", "hibernate.org",
    "httpd.apache.org", "huggingface.co/docs", "jestjs.io", "jquery.com", "jupyter.org", "keras.io",
    "kotlinlang.org", "kubernetes.io", "laravel.com", "learn.microsoft.com", "matplotlib.org",
    "maven.apache.org", "modelcontextprotocol.io", "nextjs.org", "nginx.org", "nodejs.org", "numpy.org",
    "pandas.pydata.org", "platform.claude.com", "prisma.io", "pytorch.org",
    "raw.githubusercontent.com/anthropic-experimental", "raw.githubusercontent.com/anthropics",
    "react.dev", "reactnative.dev", "reactrouter.com", "redis.io", "redux.js.org",
    "requests.readthedocs.io", "ruby-doc.org", "scikit-learn.org", "selenium.dev", "spark.apache.org",
    "symfony.com", "tailwindcss.com", "threejs.org", "tomcat.apache.org", "vercel.com/docs",
    "vuejs.org", "webpack.js.org", "wordpress.org/documentation", "www.ansible.com", "www.claude.dev",
    "www.docker.com", "www.kaggle.com/docs", "www.mongodb.com", "www.php.net", "www.postgresql.org",
    "www.sqlite.org", "www.tensorflow.org", "www.terraform.io", "www.typescriptlang.org",
)  # fmt: skip

# What runs below the working folder without any rule where somebody starts it in mode acceptEdits.
EDIT_COMMANDS: Final = ("cp", "mkdir", "mv", "rm", "rmdir", "touch")

# Programs that run others, and that a Bash *deny* does not look through.
UNSEEN_WRAPPERS: Final = (
    "bash", "chroot", "coproc", "dash", "eval", "find", "ksh", "sh", "source", "trap", "zsh",
)  # fmt: skip

# Programs that run others, and that a Bash *allow* looks through although the policy's does not.
GRANTED_WRAPPERS: Final = ("command", "nice", "nohup", "stdbuf", "time", "timeout")

# Variables that may be set in front of an allowed command.
HARMLESS_VARIABLES: Final = frozenset((
    "ANTHROPIC_API_KEY", "BLOCKSIZE", "BLOCK_SIZE", "CGO_ENABLED", "CHARSET", "CI", "CLICOLOR",
    "CLICOLOR_FORCE", "COLORTERM", "COLUMNS", "DEBIAN_FRONTEND", "FORCE_COLOR", "GCC_COLORS",
    "GIT_TERMINAL_PROMPT", "GO111MODULE", "GOARCH", "GOEXPERIMENT", "GOOS", "GREP_COLOR", "GREP_COLORS",
    "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_TIME", "LINES", "LSCOLORS", "LS_COLORS", "NODE_ENV",
    "NO_COLOR", "PYTEST_DEBUG", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED", "RUST_BACKTRACE", "RUST_LOG", "TERM", "TIME_STYLE", "TZ",
))  # fmt: skip

# The tools that reach the resources of MCP servers, of all of them at once.
RESOURCE_TOOLS: Final = ("ListMcpResourcesTool", "ReadMcpResourceDirTool", "ReadMcpResourceTool")

# One word that denies all models of a family.
FAMILIES: Final = {f"claude-{name}-*": name for name in ("haiku", "opus", "sonnet")}
