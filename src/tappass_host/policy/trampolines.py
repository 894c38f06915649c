"""What runs outside the sandbox when somebody later opens a folder the agent could write to, as a table.

Each is a file or folder that a program outside reads on its own (on `git status`, on `cd`, on opening an
editor) and that makes it run a command. Instructions to agents are not here: they are text, not commands.
"""

from typing import Final, NamedTuple


class Trampoline(NamedTuple):
    """A path below any folder that may be written, or below home, and who runs what it says."""

    path: str
    why: str


class Sockets(NamedTuple):
    """Sockets behind which somebody acts with more rights than the agent.

    Attributes:
        paths: where it usually lies; `~` is the home of the sandbox user.
        patterns: further places, known only by pattern, so they can be denied but not granted by the word.
    """

    paths: tuple[str, ...]
    patterns: tuple[str, ...]
    why: str


_GIT = "git runs what it names (hooks, core.fsmonitor, filters) on the next command of its user"
_DIRENV = "direnv runs it on entering the folder"
_MCP = "starts the programs it lists as MCP servers"
_EDITOR = "the editor runs its tasks and programs when the folder is opened"
_AGENT = "an agent reads its permissions, hooks and programs from it"
_SHELL = "every new shell runs it"
_LOGIN = "runs at the next login"
_TOOL = "names programs that a tool starts"

# https://git-scm.com/docs/git-config (core.fsmonitor, core.hooksPath, include.path), read 2026-11-22;
# https://code.visualstudio.com/docs/editor/workspace-trust lists what an opened folder can run, 2026-11-22.
ANYWHERE: Final = (
    Trampoline(".git/config", _GIT),
    Trampoline(".git/config.worktree", _GIT),
    Trampoline(".git/hooks", _GIT),
    Trampoline(".git/modules/**/config", _GIT),
    Trampoline(".git/modules/**/hooks", _GIT),
    Trampoline(".envrc", _DIRENV),
    Trampoline(".mcp.json", _MCP),
    Trampoline(".claude/settings*.json", _AGENT),
    Trampoline(".claude/hooks", _AGENT),
    Trampoline(".codex/config.toml", _AGENT),
    Trampoline(".codex/hooks.json", _AGENT),
    Trampoline(".cursor/mcp.json", _MCP),
    Trampoline(".cursor/hooks.json", _AGENT),
    Trampoline(".cursor/cli.json", _AGENT),
    Trampoline(".gemini/settings.json", _AGENT),
    Trampoline(".kiro/settings", _AGENT),
    Trampoline(".opencode/plugin", _AGENT),
    Trampoline("opencode.json*", _AGENT),
    Trampoline(".aider.conf.yml", _AGENT),
    Trampoline(".vscode/settings.json", _EDITOR),
    Trampoline(".vscode/tasks.json", _EDITOR),
    Trampoline(".vscode/launch.json", _EDITOR),
    Trampoline(".vscode/mcp.json", _MCP),
    Trampoline(".idea", _EDITOR),
    Trampoline(".zed", _EDITOR),
    Trampoline(".exrc", _EDITOR),
    Trampoline(".nvim.lua", _EDITOR),
    Trampoline(".dir-locals.el", _EDITOR),
    Trampoline(".devcontainer", _EDITOR),
)

HOME: Final = (
    *(
        Trampoline(name, _SHELL)
        for name in (
            ".bashrc",
            ".bash_profile",
            ".bash_login",
            ".bash_logout",
            ".bash_aliases",
            ".profile",
            ".zshenv",
            ".zprofile",
            ".zshrc",
            ".zlogin",
            ".zlogout",
            ".config/fish",
        )
    ),
    Trampoline(".gitconfig", _GIT),
    Trampoline(".config/git", _GIT),
    Trampoline(".ssh/config", "ssh runs its ProxyCommand, Match exec and LocalCommand"),
    Trampoline(".ssh/rc", _LOGIN),
    Trampoline(".ssh/authorized_keys", "lets whoever it names log in"),
    Trampoline(".config/autostart", _LOGIN),
    Trampoline(".config/environment.d", _LOGIN),
    Trampoline(".config/systemd/user", "the user's systemd starts it"),
    Trampoline(".local/share/systemd/user", "the user's systemd starts it"),
    Trampoline(".xprofile", _LOGIN),
    Trampoline(".xsessionrc", _LOGIN),
    Trampoline(".local/bin", "programs here come before those of the system"),
    Trampoline("bin", "programs here come before those of the system"),
    Trampoline(".config/direnv", _DIRENV),
    Trampoline(".config/Code/User", _EDITOR),
    Trampoline(".vscode/extensions", _EDITOR),
    Trampoline(".vimrc", _EDITOR),
    Trampoline(".vim", _EDITOR),
    Trampoline(".config/nvim", _EDITOR),
    Trampoline(".emacs", _EDITOR),
    Trampoline(".emacs.d", _EDITOR),
    Trampoline(".tmux.conf", _TOOL),
    Trampoline(".npmrc", _TOOL),
    Trampoline(".curlrc", "every curl of this user obeys it"),
)

# OpenSSH keeps its agent's socket below ~/.ssh/agent since 10.1, below /tmp before
# (https://www.openssh.com/txt/release-10.1, read 2026-11-22).
SOCKETS: Final = {
    "docker": Sockets(
        ("/run/docker.sock", "/var/run/docker.sock", "~/.docker/run/docker.sock", "/run/podman/podman.sock"),
        (
            "/run/containerd/containerd.sock",
            "/run/crio/crio.sock",
            "/run/user/*/docker.sock",
            "/run/user/*/podman",
        ),
        "whoever talks to a container engine can mount the whole host",
    ),
    "ssh-agent": Sockets(
        (),
        (
            "/run/user/*/gcr",
            "/run/user/*/gnupg",
            "/run/user/*/keyring",
            "/run/user/*/openssh_agent",
            "/run/user/*/ssh-agent.socket",
            "/tmp/ssh-*",  # noqa: S108 - a place of others that is denied, not one that is used
            "~/.ssh/agent",
        ),
        "signs with the user's keys",
    ),
    "dbus": Sockets(
        ("/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"),
        ("/run/user/*/bus", "/run/user/*/dbus-1", "/run/user/*/systemd"),
        "has services outside start programs",
    ),
}
