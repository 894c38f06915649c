"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const dialog = document.getElementById("detail");

// Text only ever becomes a text node; characters that fake what a line says are shown as escapes.
const printable = (text) =>
  String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]/gu, (c) =>
    c === "\n" ? " " : "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));

function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value !== undefined && value !== "") node.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== "") {
      node.append(child instanceof Node ? child : printable(child));
    }
  }
  return node;
}

const badge = (text, kind, title) => el("span", { class: `badge ${kind || text}`, title }, text);
const code = (text) => el("code", {}, text);
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// Only the web's own two schemes become links: a page of somebody else's words must not run anything.
function link(url, text) {
  return /^https?:\/\//i.test(url)
    ? el("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, text || url)
    : document.createTextNode(printable(url));
}

function facts(pairs) {
  const shown = pairs.filter(([, value]) => value && (!Array.isArray(value) || value.length));
  return el("dl", { class: "facts" }, shown.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

let opener = null;

function open(title, subtitle, chips, body, key) {
  const close = el("button", { class: "close", type: "button", "aria-label": "Close" }, "\u00d7");
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(
    el("div", { class: "head" },
      el("div", { class: "grow" },
        el("h2", { id: "detail-title" }, title),
        el("p", { class: "soft" }, subtitle),
        el("div", { class: "chips" }, chips)),
      close),
    el("div", { class: "scroll", tabindex: "0" }, body));
  if (!dialog.open) {
    opener = document.activeElement;
    dialog.showModal();
  }
  close.focus();
  if (key) history.replaceState(null, "", "#" + key);
}

dialog.addEventListener("close", () => {
  history.replaceState(null, "", location.pathname + location.search);
  if (opener) opener.focus();
});
// A click beside the dialog is a click on it, not on anything in it.
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

function groups(items, keyOf) {
  const found = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(item);
  }
  return [...found.values()];
}

function locators(found) {
  if (!found.length) return null;
  const list = el("ul", { class: "codes" }, found.map((each) => el("li", {}, code(each))));
  return found.length <= 4
    ? list
    : el("details", {}, el("summary", {}, plural(found.length, "native line")), list);
}

function evidence(claim) {
  if (!claim.url) return null;
  const read = [claim.date && `read ${claim.date}`, claim.versions && claim.versions.length && `tried on ${claim.versions.join(", ")}`];
  return el("small", {}, "Evidence: ", link(claim.url), ` ${read.filter(Boolean).join(", ")}`);
}

// Where a statement bites: one line for each surface of each target. All of `some` have the same places.
function places(some) {
  const all = some[0].places || [];
  const found = groups(all, (p) => JSON.stringify([p.use, p.verdict, p.by, p.reach, p.reason]));
  return [
    found.map((same) => {
      const first = same[0];
      const by = first.by ? `held by ${first.by} at ${first.reach}, ${first.strength}` : "held by nobody";
      return el("div", {},
        el("small", {}, badge(first.verdict), ` ${first.use} (${same.map((p) => p.surface).join(", ")}): `,
          first.verdict === "enforced" || first.verdict === "partial" ? by : "", first.reason ? ` ${first.reason}` : ""),
        evidence(first));
    }),
    locators([...new Set(some.flatMap((s) => (s.places || []).flatMap((p) => p.locators || [])))]),
  ];
}

// Search and filters over the lines of the table. `fits(row, terms, wanted, line)` says whether a line is shown.
function filtering(noun, rows, fits, also) {
  const table = document.getElementById("grid");
  const form = document.getElementById("filters");
  const apply = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const terms = wanted.search.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const line of table.querySelectorAll("tr[data-row]")) {
      line.hidden = !fits(rows[line.dataset.row], terms, wanted, line);
      shown += !line.hidden;
    }
    for (const body of table.tBodies) body.hidden = !body.querySelector("tr.provider:not([hidden])");
    for (const select of form.querySelectorAll("select")) select.classList.toggle("on", Boolean(select.value));
    if (also) also(wanted);
    document.getElementById("count").textContent = `${shown} of ${plural(rows.length, noun)}`;
    document.getElementById("nothing").hidden = shown > 0;
    document.getElementById("reset").hidden = !Object.values(wanted).some(Boolean);
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !dialog.open && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      form.elements.search.focus();
    }
  });
  apply();
}

// What stands behind # in the address is opened: a cell can be linked to.
function addressed(show) {
  const go = () => {
    if (!location.hash) return;
    try {
      show(...location.hash.slice(1).split("/").map(decodeURIComponent));
    } catch (error) {
      if (!(error instanceof URIError)) throw error;
    }
  };
  window.addEventListener("hashchange", go);
  go();
}

// The header of the table stays right below the bar, however many lines that takes.
const bar = document.querySelector(".bar");
new ResizeObserver(() => {
  document.documentElement.style.setProperty("--under", `${bar.offsetHeight}px`);
}).observe(bar);
