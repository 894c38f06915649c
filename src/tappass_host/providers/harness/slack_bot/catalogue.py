"""What a Slack app can be asked to do and can do, by the names that a policy uses, with the scopes it takes.

    slack.chat.postMessage       a call of the Web API
    slack.event.app_mention      an event that a listener answers
    slack.command.deploy         the slash command /deploy

Scopes are those of a bot token, from docs.slack.dev/reference/methods and docs.slack.dev/reference/events,
read 2026-11-23; where a method takes one of several, that for public channels. A call that is not here takes
a scope that the manifest does not ask for, so Slack refuses it.
"""

from typing import Final, Literal, NamedTuple

PREFIX: Final = "slack."
EVENT: Final = "slack.event."
COMMAND: Final = "slack.command."

METHODS: Final[dict[str, tuple[str, ...]]] = {
    "auth.test": (),
    "bookmarks.add": ("bookmarks:write",),
    "bookmarks.list": ("bookmarks:read",),
    "chat.delete": ("chat:write",),
    "chat.getPermalink": (),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.scheduleMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.archive": ("channels:manage",),
    "conversations.create": ("channels:manage",),
    "conversations.history": ("channels:history",),
    "conversations.info": ("channels:read",),
    "conversations.invite": ("channels:manage",),
    "conversations.join": ("channels:join",),
    "conversations.list": ("channels:read",),
    "conversations.members": ("channels:read",),
    "conversations.open": ("im:write",),
    "conversations.replies": ("channels:history",),
    "files.completeUploadExternal": ("files:write",),
    "files.delete": ("files:write",),
    "files.getUploadURLExternal": ("files:write",),
    "files.info": ("files:read",),
    "files.list": ("files:read",),
    "pins.add": ("pins:write",),
    "pins.list": ("pins:read",),
    "reactions.add": ("reactions:write",),
    "reactions.get": ("reactions:read",),
    "reactions.remove": ("reactions:write",),
    "team.info": ("team:read",),
    "usergroups.list": ("usergroups:read",),
    "users.info": ("users:read",),
    "users.list": ("users:read",),
    "users.lookupByEmail": ("users:read", "users:read.email"),
    "views.open": (),
    "views.publish": (),
    "views.update": (),
}
EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "app_home_opened": (),
    "app_mention": ("app_mentions:read",),
    "assistant_thread_started": ("assistant:write",),
    "channel_created": ("channels:read",),
    "file_shared": ("files:read",),
    "function_executed": (),
    "link_shared": ("links:read",),
    "member_joined_channel": ("channels:read",),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "message.mpim": ("mpim:history",),
    "reaction_added": ("reactions:read",),
    "reaction_removed": ("reactions:read",),
    "team_join": ("users:read",),
}
COMMANDS: Final = ("commands",)


class SlackTool(NamedTuple):
    """A tool name of the policy, as Slack knows it."""

    tool: str
    kind: Literal["method", "event", "command"]
    native: str
    scopes: tuple[str, ...]


def slack_tool(name: str) -> SlackTool | None:
    """What a tool name stands for; None if it is nothing that Slack has."""
    event, command, method = (name.removeprefix(prefix) for prefix in (EVENT, COMMAND, PREFIX))
    if name.startswith(EVENT):
        return SlackTool(name, "event", event, EVENTS[event]) if event in EVENTS else None
    if name.startswith(COMMAND):
        return SlackTool(name, "command", f"/{command}", COMMANDS)
    if name.startswith(PREFIX) and method in METHODS:
        return SlackTool(name, "method", method, METHODS[method])
    return None


def known_tools() -> tuple[SlackTool, ...]:
    """Every method and event; commands are the app's own."""
    names = [f"{PREFIX}{method}" for method in METHODS] + [f"{EVENT}{event}" for event in EVENTS]
    return tuple(tool for name in names if (tool := slack_tool(name)) is not None)
