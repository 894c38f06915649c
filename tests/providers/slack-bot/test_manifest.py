"""What Slack itself lets through, and what the guard does with calls of the Web API."""

import pytest

from tappass_host.policy.actions import Tool
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.policy.model import Tools
from tappass_host.providers.harness.slack_bot.catalogue import METHODS, slack_tool
from tappass_host.providers.harness.slack_bot.provider import INFO, render
from tappass_host.providers.harness.slack_bot.reader import read
from tappass_host.sdk.kit.reference import policy
from tappass_host.sdk.kit.targets import target_of

RULES = Tools(
    allow=("slack.chat.postMessage", "slack.command.deploy", "slack.event.app_mention", "summarise"),
    ask=("slack.files.delete",),
    deny=("slack.chat.delete",),
)


def rendered(tools=RULES, **options):
    target = target_of(INFO, {"options": {"approval_channel": "C01", **options}})
    return render(EffectivePolicy(policy(tools=tools)), target)


def manifest(config):
    return config.artifact("manifest").doc


def test_scopes_are_those_of_what_may_happen():
    doc = manifest(rendered())
    assert sorted(doc["oauth_config"]["scopes"]["bot"]) == [
        "app_mentions:read",
        "chat:write",
        "commands",
        "files:write",
    ]
    assert doc["settings"]["event_subscriptions"] == {"bot_events": ["app_mention"]}
    assert [c["command"] for c in doc["features"]["slash_commands"]] == ["/deploy"]


def test_an_open_default_asks_for_all_that_is_not_denied():
    tools = Tools(default="allow", unknown="deny", deny=("slack.team.info",))
    scopes = manifest(rendered(tools))["oauth_config"]["scopes"]["bot"]
    assert "team:read" not in scopes
    assert {"chat:write", "im:history", "users:read.email"} <= set(scopes)


ROWS = {
    "granted": ("slack.chat.postMessage", "allow", "guard#/tools/allow[slack.chat.postMessage]"),
    "denied, and it shares its scope with a granted one": (
        "slack.chat.delete",
        "deny",
        "guard#/tools/deny[slack.chat.delete]",
    ),
    "asked": ("slack.files.delete", "ask", "guard#/tools/ask[slack.files.delete]"),
    "named by nothing": ("slack.users.list", "deny", "guard#/tools/unknown"),
    "a function of the app": ("summarise", "allow", "guard#/tools/allow[summarise]"),
}


@pytest.mark.parametrize(("name", "effect", "locator"), ROWS.values(), ids=list(ROWS))
def test_calls(name, effect, locator):
    assert read(rendered().artifacts).permits(Tool(name=name)) == (effect, locator)


def test_slack_refuses_a_call_whose_scope_is_not_asked_for():
    config = rendered()
    manifest(config)["oauth_config"]["scopes"]["bot"].remove("chat:write")
    ruling = read(config.artifacts).permits(Tool(name="slack.chat.postMessage"))
    assert ruling == ("deny", "manifest#/oauth_config/scopes/bot")


def test_the_manifest_is_the_one_compulsory_place():
    found = {c.reach.id: c for c in rendered().claims if c.statement == "tools.default[deny]"}
    assert (found["guard"].verdict, found["guard"].reach.strength) == ("enforced", "cooperative")
    assert (found["manifest"].verdict, found["manifest"].reach.strength) == ("partial", "compulsory")
    assert "administrator" in found["manifest"].reason


def test_an_author_who_forgets_is_named_in_every_claim_of_the_guard():
    claims = [c for c in rendered(install="app").claims if c.reach.id == "guard"]
    assert claims
    assert all(c.verdict == "partial" and "does not call install" in c.reason for c in claims)


def test_the_reader_takes_no_manifest_that_slack_would_not():
    for change in (
        lambda doc: doc.update(extra={}),
        lambda doc: doc["settings"].update(extra=1),
        lambda doc: doc["display_information"].update(name=""),
    ):
        config = rendered()
        change(manifest(config))
        with pytest.raises(RenderError):
            read(config.artifacts)


@pytest.mark.parametrize(
    "name", ["slack.chat.nothing", "slack.event.nothing", "summarise", "chat.postMessage"]
)
def test_what_slack_does_not_have(name):
    assert slack_tool(name) is None


def test_every_method_is_a_tool():
    assert all(slack_tool(f"slack.{method}").native == method for method in METHODS)
