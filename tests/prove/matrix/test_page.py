"""The page: nothing is fetched, nothing of a provider's words runs, everything can be reached."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tappass_host import registry
from tappass_host.prove.matrix.build import Source, build
from tappass_host.prove.matrix.document import document
from tappass_host.prove.matrix.html import page
from tappass_host.prove.pages.shell import embedded
from tappass_host.registry import Entry

EVIL = "</script><img src=x onerror=\"document.title='pwned'\"><svg onload=alert(1)>'\"&\u202e"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.open = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.open = tag
        if tag in self.inside:
            self.inside[tag].append("")

    def handle_endtag(self, tag):
        self.open = ""

    def handle_data(self, data):
        if self.open in self.inside:
            self.inside[self.open][-1] += data

    def all(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture
def matrix(toy, monty, recorded):
    providers = {"monty": monty, EVIL: toy(EVIL, network="enforced", tools="unenforceable")}
    entries = [Entry(name, "kernel", "1.0", "test 1.0", "ok") for name in providers]
    entries.append(Entry("lost", EVIL, "", EVIL, "broken", EVIL))
    return build(Source(entries, providers.__getitem__), [recorded()])


def test_nothing_is_fetched(matrix):
    text = page(matrix)
    elements = Elements(text)
    attributes = [(tag, name) for tag, attrs in elements.found for name in attrs]
    assert not [
        pair for pair in attributes if pair[1] in ("src", "href", "srcset", "style", "data", "action")
    ]
    assert not {"link", "iframe", "img", "object", "embed", "base"} & {tag for tag, _ in elements.found}
    (style,) = elements.inside["style"]
    assert not re.search(r"@import|url\(|//", style)
    script = elements.inside["script"][1]
    assert not re.search(
        r"fetch\(|XMLHttp|import\(|WebSocket|sendBeacon|innerHTML|outerHTML|document\.write|eval\(", script
    )


def test_the_policy_of_the_page_allows_its_own_script_and_style_and_nothing_else(matrix):
    elements = Elements(page(matrix))
    (meta,) = [attrs for attrs in elements.all("meta") if attrs.get("http-equiv")]
    policy = dict(part.strip().split(" ", 1) for part in meta["content"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == _source(elements.inside["style"][0])
    assert policy["script-src"] == _source(elements.inside["script"][1])


def _source(text):
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def test_words_of_a_provider_are_text(matrix):
    elements = Elements(page(matrix))
    assert len(elements.all("script")) == 2
    assert not [(tag, name) for tag, attrs in elements.found for name in attrs if name.startswith("on")]
    assert {tag for tag, _ in elements.found} <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "p", "span", "b", "small", "div",
        "form", "input", "select", "option", "button", "output", "main", "table", "caption", "thead", "tbody", "tr",
        "th", "td", "svg", "rect", "footer", "ul", "li", "dialog", "script",
    }  # fmt: skip


def test_the_data_of_the_page_is_the_document(matrix):
    data = json.loads(Elements(page(matrix)).inside["script"][0])
    words = data.pop("words")
    assert data == json.loads(json.dumps(document(matrix)))
    assert set(words) == {"grades", "proofs"}


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "&amp;", "\u2028", "\x00"])
def test_data_cannot_end_its_element(text):
    made = embedded({"x": text})
    assert not re.search(r"[<>&\u2028\x00]", made)
    assert json.loads(made) == {"x": text}


def test_every_cell_is_a_button_with_a_name(matrix):
    elements = Elements(page(matrix))
    cells = [attrs for attrs in elements.all("button") if "data-aspect" in attrs]
    assert len(cells) == sum(len(row.aspects) for row in matrix.providers)
    assert all(attrs["aria-label"] and attrs["type"] == "button" for attrs in cells)
    assert [attrs["scope"] for attrs in elements.all("th")].count("row") == len(matrix.providers)
    fields = elements.all("input") + elements.all("select")
    assert all(attrs.get("aria-label") for attrs in fields)
    assert {attrs["name"] for attrs in fields} == {"search", "position", "aspect", "verdict", "proof"}


def test_a_plugin_that_is_installed_cannot_speak_to_the_reader(install, toy):
    install("<b>x</b>", "evil_plugin", f"raise RuntimeError({EVIL!r})")
    entries = tuple(entry for entry in registry.all() if entry.source != "builtin")
    assert [entry.id for entry in entries] == ["<b>x</b>"]
    elements = Elements(page(build(Source(entries, registry.get))))
    assert not elements.all("img")
    assert len(elements.all("script")) == 2


def dumped(text: str, tmp_path: Path, anchor: str) -> str:
    """The page as a browser has it after its script ran."""
    file = tmp_path / "matrix.html"
    file.write_text(text)
    profile = tmp_path / "profile"
    argv = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", f"{file.as_uri()}{anchor}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.live
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_real_browser_shows_what_is_behind_a_cell_and_runs_nothing_else(matrix, tmp_path):
    dom = dumped(page(matrix), tmp_path, "#monty/interpreter")
    elements = Elements(dom)
    assert "open" in elements.all("dialog")[0]
    assert re.search(r'id="detail-title">monty: interpreter<', dom)
    assert "import subprocess" in dom
    assert "<title>Availability matrix" in dom
    assert not elements.all("img")
