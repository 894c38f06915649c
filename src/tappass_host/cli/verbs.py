"""Every verb of `tappass`: where it is, what it does, under which heading. Imports none of them."""

from typing import Final

from tappass_host.cli.tree import Entry, Verbs

VERBS: Final = {
    "policy": Entry("verbs:POLICY", "Write, compile, sign, compare and question policies", "Policies"),
    "key": Entry("verbs:KEY", "Make and rotate signing keys", "Policies"),
    "verify": Entry("verify_cmd:verify", "Check who signed a policy, and whether it applies now", "Policies"),
    "runtime": Entry("verbs:RUNTIME", "Describe which targets run your agent", "Enforcement"),
    "render": Entry("render_cmd:render", "Turn a policy into the targets' own configuration", "Enforcement"),
    "coverage": Entry("coverage_cmd:coverage", "Show what is enforced where, gaps first", "Enforcement"),
    "explain": Entry("explain_cmd:explain", "Trace a statement to native lines, and back", "Enforcement"),
    "prove": Entry("prove_cmd:prove", "Try the rendered policy on the real targets", "Enforcement"),
    "eval": Entry("eval_cmd:evaluate", "Run code in an interpreter, under its manifest", "Enforcement"),
    "provider": Entry("verbs:PROVIDER", "List, compare, lock and write providers", "Providers"),
    "completion": Entry("completion_cmd:completion", "Print the completion script of your shell", "Shell"),
}

ROOT_EXAMPLES: Final = (
    "tappass policy init --preset standard --for claude-code,bubblewrap,monty",
    "tappass policy compile sandbox.yaml --out compiled.json",
    "tappass render --policy compiled.json --runtime runtime.yaml --out out/",
    "tappass coverage --policy compiled.json --runtime runtime.yaml",
)

POLICY: Final = Verbs(
    "policy",
    {
        "init": Entry("policy_init:init", "Start a policy from a preset", "Write"),
        "compile": Entry("policy_compile:compile_", "Put levels together to one Compiled Policy", "Write"),
        "schema": Entry("policy_schema:schema", "Print the JSON Schema of the Compiled Policy", "Write"),
        "show": Entry("policy_show:show", "List every statement and who said it where", "Question"),
        "decide": Entry("policy_decide:decide", "Ask what a policy says of one action, and why", "Question"),
        "diff": Entry("policy_diff:diff", "Compare two policies; find what became wider", "Question"),
        "sign": Entry("policy_sign:sign", "Sign a Compiled Policy", "Issue"),
        "renew": Entry("policy_issue:renew", "Issue the same content again with a later expiry", "Issue"),
        "revert": Entry("policy_issue:revert", "Issue older content again under a higher version", "Issue"),
        "freshen": Entry("policy_freshen:freshen", "Sign that a policy is still the newest", "Issue"),
    },
    help="Write, compile, sign, compare and question policies.",
    examples=(
        "tappass policy init --preset worker --for claude-code",
        "tappass policy compile sandbox.yaml --out compiled.json",
        "tappass policy decide compiled.json --connect paste.rs:443",
    ),
)

KEY: Final = Verbs(
    "key",
    {
        "new": Entry("key_cmd:new", "Make a signing key, and a root of trust on first use"),
        "rotate": Entry("key_rotate:rotate", "Replace a key in an organisation's root of trust"),
        "list": Entry("key_cmd:list_", "List keys, and what they are trusted for"),
    },
    help="Make and rotate signing keys. They lie in $TAPPASS_HOME or ~/.config/tappass, never in a project.",
    examples=("tappass key new acme-signing --org acme", "tappass key rotate acme-signing --overlap 7d"),
)

RUNTIME: Final = Verbs(
    "runtime",
    {
        "create": Entry("runtime_cmd:create", "Write a Runtime from providers in one line"),
        "list": Entry("runtime_cmd:list_", "List the Runtimes of a folder"),
        "show": Entry("runtime_cmd:show", "Show who encloses whom, and the digest that policies name"),
    },
    help="Describe which targets run your agent: a Runtime is a list of providers and who encloses whom.",
    examples=(
        "tappass runtime create laptop --providers harness=claude-code,kernel=bubblewrap,interpreter=monty",
        "tappass runtime show laptop",
    ),
)

PROVIDER: Final = Verbs(
    "provider",
    {
        "list": Entry("provider_cmd:list_", "List every provider there is, broken ones too", "Use"),
        "show": Entry("provider_cmd:show", "Show what one provider can and cannot hold", "Use"),
        "matrix": Entry("matrix_cmd:matrix", "Compare providers: aspect, verdict, proof", "Use"),
        "lock": Entry("provider_lock:lock", "Agree to providers as they are now", "Use"),
        "new": Entry("provider_new:new", "Start a provider in a package of its own", "Write"),
        "dev": Entry("provider_dev:dev", "Check a provider again whenever its files change", "Write"),
        "test": Entry("provider_dev:test", "Run the conformance kit on a provider", "Write"),
    },
    help="List, compare, lock and write providers: each translates policies for one target.",
    examples=("tappass provider list", "tappass provider show bubblewrap", "tappass provider new acme-box"),
)
