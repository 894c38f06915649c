"""Every verb of `tappass-host`. Imports none of them."""

from typing import Final

from tappass_host.cli.tree import Entry

HELP: Final = """Put a signed policy in force on this machine, and give back what was there before.

Everything is done below --host-root: `/` for the whole machine, any folder without root's rights."""

VERBS: Final = {
    "apply": Entry("host_apply:apply", "Put a signed policy in force", "Enforcement"),
    "plan": Entry("host_apply:plan", "Show what apply would change", "Enforcement"),
    "status": Entry("host_state:status", "Show what is in force, and what has drifted", "Enforcement"),
    "restore": Entry("host_state:restore", "Put drifted files right again", "Enforcement"),
    "rollback": Entry(
        "host_state:rollback", "Put the rendering before this one back in force", "Enforcement"
    ),
    "daemon": Entry("host_daemon:daemon", "Keep what was applied in force", "Enforcement"),
    "unit": Entry("host_daemon:unit", "Print a systemd unit for the daemon", "Enforcement"),
    "lockdown": Entry("host_state:lockdown", "Deny everything until it is released", "Enforcement"),
    "release": Entry("host_state:release", "End a lock-down", "Enforcement"),
    "uninstall": Entry(
        "host_state:uninstall", "Give every original back and take the rest away", "Enforcement"
    ),
}

EXAMPLES: Final = (
    "tappass-host plan --policy policy.dsse.json --runtime laptop --exit-code",
    "tappass-host apply --policy policy.dsse.json --runtime laptop --param workspace=/srv/checkout",
    "tappass-host status --json",
    "tappass-host apply --policy policy.dsse.json --runtime laptop --host-root ~/.tappass-host",
)
