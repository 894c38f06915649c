"""What every page has around it: style, data, script, and a policy that lets nothing else run or load.

The Content-Security-Policy names the one style and the one script by digest, so that whatever slips through
the escaping is text all the same.
"""

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any, Final

from tappass_host import __version__
from tappass_host.prove.pages.text import escaped

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="tappass-host {version}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<dialog id="detail" aria-labelledby="detail-title"></dialog>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def shell(*, title: str, body: str, data: Any, script: str) -> str:
    """A whole page.

    Args:
        title: plain text.
        body: HTML, already escaped.
        data: plain JSON values that the script reads.
        script: name of the page's own script beside this module.
    """
    style = _part("style.css")
    code = f"(() => {{\n{_part('common.js')}\n{_part(script)}\n}})();"
    return _PAGE.format(
        policy=_policy(style, code),
        version=escaped(__version__),
        title=escaped(title),
        style=style,
        body=body,
        data=embedded(data),
        script=code,
    )


def embedded(data: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8").strip()


def _policy(style: str, code: str) -> str:
    allowed = (
        "default-src 'none'",
        f"style-src {_source(style)}",
        f"script-src {_source(code)}",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(allowed)


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
