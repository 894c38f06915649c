// A row of the table names its provider by number: an id may hold anything.
const rows = data.providers;
const words = data.words;

// Claims that differ only in their statement are one block.
function claims(cell) {
  const same = (c) => JSON.stringify([c.verdict, c.reach, c.reason, c.proof, c.fidelity]);
  const order = { unenforceable: 0, partial: 1, enforced: 2 };
  return groups(cell.claims, same).sort((a, b) => order[a[0].verdict] - order[b[0].verdict]).map(claim);
}

function claim(some) {
  const first = some[0];
  const lines = [...new Set(some.flatMap((c) => c.locators || []))];
  const named = !first.reach.startsWith("cannot@");
  return el("div", { class: "claim" },
    el("p", {},
      badge(first.verdict), " ",
      first.verdict === "unenforceable" ? null : badge(first.proof, first.proof, words.proofs[first.proof]), " ",
      first.fidelity === "stricter" ? badge("stricter", "partial", "forbids more than its statement says") : null, " ",
      el("span", { class: "soft" }, `${named ? `at ${first.reach}, ` : ""}${first.strength}, on ${first.surfaces.join(", ")}`)),
    first.reason ? el("p", { class: "why" }, first.reason) : null,
    el("ul", { class: "codes" }, some.map((c) => el("li", { title: c.polarity }, code(c.statement)))),
    lines.length ? el("small", {}, "Held by") : null,
    locators(lines),
    (first.requires || []).map((each) => el("small", {}, `Requires ${each}`)),
    evidence(first),
    first.probe ? el("small", {}, "Probe: ", code(first.probe)) : null);
}

const HEADS = ["action", "policy says", "without policy", "with policy", "stopped by"];
const SAID = { ran: "ran", blocked: "BLOCKED", asked: "ASKED", failed: "failed", timeout: "timed out" };

// `org org.yaml:33:14` -> `org:33`: level and line of the rule.
const short = (where) => (where || "").replace(/^(\S+) .*?:(\d+)(:\d+)?$/, "$1:$2");

function transcript(attempts) {
  const cells = (each) => [
    el("td", { "data-label": HEADS[0] }, code(each.action), el("small", {}, code(each.statement))),
    el("td", { "data-label": HEADS[1] }, el("span", { title: each.where }, el("span", { class: `said ${each.says}` }, each.says), ` ${short(each.where)}`)),
    el("td", { "data-label": HEADS[2] }, SAID[each.without] || each.without),
    el("td", { "data-label": HEADS[3] }, el("span", {}, SAID[each.outcome] || each.outcome,
      each.outcome !== "ran" && each.text ? el("small", { class: "told", title: each.text }, each.text) : null)),
    el("td", { "data-label": HEADS[4] }, el("span", {}, each.by || "\u2013", each.declared ? el("small", {}, "not claimed enforced here") : null)),
  ];
  const kind = (each) => (each.declared ? "declared" : each.agrees ? "" : "wrong");
  return el("div", { class: "wide" }, el("table", { class: "rows transcript" },
    el("thead", {}, el("tr", {}, HEADS.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, attempts.map((each) => el("tr", { class: kind(each) }, cells(each))))));
}

function recording(each) {
  const p = each.platform;
  return `${each.target} ${each.target_version}, ${each.recorded_at.slice(0, 10)}, ${p.os}, kernel ${p.kernel}, ${p.arch}${each.by ? `, by ${each.by}` : ""}`;
}

function proofs(row, aspect) {
  return (row.recordings || []).flatMap((each) => {
    const attempts = (each.transcript || []).filter((one) => !aspect || one.aspect === aspect);
    if (!attempts.length) return [];
    const state = each.state === "stale" ? "stale" : each.counted ? "live" : "another version";
    return [
      el("h3", {}, "Tried on the real target ", badge(state)),
      el("p", { class: "soft" }, recording(each)),
      (each.reasons || []).map((why) => el("p", {}, why)),
      transcript(attempts),
    ];
  });
}

function cellDetail(row, aspect) {
  const cell = row.aspects[aspect];
  const seen = proofs(row, aspect).flat();
  const chips = [
    badge(cell.grade), badge(cell.strength, "plain"),
    badge(cell.proof, cell.proof, words.proofs[cell.proof]), cell.surfaces.map((surface) => badge(surface, "plain")),
  ];
  const body = [
    facts([
      ...comesTo(cell),
      ["Proof", proofLine(cell)],
    ]),
    el("h3", {}, "What is claimed on the reference policy"),
    claims(cell),
    seen.length ? seen : el("p", { class: "soft" }, "Nothing about this aspect was tried on a real target yet."),
  ];
  open(`${row.id}: ${aspect}`, subtitle(row), chips, body, `${encodeURIComponent(row.id)}/${aspect}`);
}

function proofLine(cell) {
  const on = cell.tried.length ? ` (driven on ${cell.tried.join(", ")})` : "";
  const all = cell.restrictions.enforced + cell.grants.enforced;
  return `${words.proofs[cell.proof]}; ${cell.proven} of ${plural(all, "enforced statement")} seen live${on}`;
}

const comesTo = (cell) => [
  ["Comes to", words.grades[cell.grade].means],
  ["Restrictions", tally(cell.restrictions)],
  ["Grants", tally(cell.grants)],
  ["Worst of them", cell.verdict],
  ["By surface", tally(cell.places)],
];

function tally(t) {
  const parts = Object.entries(t).filter(([, count]) => count).map(([name, count]) => `${count} ${name}`);
  return parts.join(", ");
}

const subtitle = (row) => `${row.target} ${row.target_version}, provider ${row.provider_version}, ${row.position}`;

function providerDetail(row) {
  const effects = Object.entries(row.effects).map(([where, what]) => el("div", {}, code(where), ` ${what.replace(/_/g, " ")}`));
  const aspects = Object.entries(row.aspects).map(([name, cell]) => {
    const button = el("button", { type: "button", class: `cell ${cell.grade} ${cell.strength}` }, el("span", { class: "word" }, name), el("span", { class: "proof" }, cell.grade));
    button.addEventListener("click", () => cellDetail(row, name));
    return button;
  });
  const excused = row.excused && `${row.excused.looser} looser, ${row.excused.stricter} stricter than the policy, each under a claim that says so`;
  open(row.id, subtitle(row), [badge(row.proof, row.proof, words.proofs[row.proof])], [
    facts([
      ["Aliases", (row.aliases || []).join(", ")],
      ["Source", row.source],
      ["Platforms", (row.platforms || []).join(", ")],
      ["A change takes", effects],
      ["Excused", excused],
    ]),
    el("h3", {}, "Aspects"), el("div", { class: "legend" }, aspects),
    proofs(row, "").flat(),
  ], encodeURIComponent(row.id));
}

function stackDetail(aspect) {
  const cell = data.stack.aspects[aspect];
  const why = (s) => JSON.stringify([s.verdict, (s.places || []).map((p) => [p.use, p.surface, p.verdict, p.by, p.reach, p.reason])]);
  const blocks = groups(cell.statements, why).map((some) => el("div", { class: "claim" },
    el("p", {}, badge(some[0].verdict)),
    el("ul", { class: "codes" }, some.map((s) => el("li", {}, code(s.id)))),
    places(some)));
  open(`together: ${aspect}`, data.stack.uses.join(" + "), [badge(cell.grade), badge(cell.strength, "plain")], [
    facts(comesTo(cell)),
    el("h3", {}, "On each surface of each target"), blocks,
  ], `together/${aspect}`);
}

function act(button) {
  const { aspect } = button.dataset;
  const row = rows[button.closest("tr").dataset.row];
  if (!row) stackDetail(aspect);
  else if (aspect === undefined) providerDetail(row);
  else cellDetail(row, aspect);
}

const grid = document.getElementById("grid");
grid.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) act(button);
});

// Arrow keys walk over the cells that are shown.
grid.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const here = event.target.closest("button");
  if (!step || !here) return;
  const shown = (row) => [...row.querySelectorAll("button")].filter((button) => button.offsetParent);
  const lines = [...grid.querySelectorAll("tr.provider")].filter((row) => row.offsetParent).map(shown);
  const y = lines.findIndex((line) => line.includes(here));
  const column = (button) => button.closest("td, th").cellIndex;
  const next = step[0]
    ? (lines[y + step[0]] || []).reduce((best, b) => (!best || Math.abs(column(b) - column(here)) < Math.abs(column(best) - column(here)) ? b : best), null)
    : lines[y][lines[y].indexOf(here) + step[1]];
  if (next) { event.preventDefault(); next.focus(); }
});

function matches(row, terms, wanted, line) {
  const text = [row.id, ...row.aliases, row.position, row.target, row.target_version].join(" ").toLowerCase();
  const fits = (cell) => cell && (!wanted.verdict || cell.grade === wanted.verdict) && (!wanted.proof || cell.proof === wanted.proof);
  const names = wanted.aspect ? [wanted.aspect] : Object.keys(row.aspects);
  for (const button of line.querySelectorAll("td button")) {
    button.classList.toggle("off", !fits(row.aspects[button.dataset.aspect]));
  }
  const narrowed = wanted.aspect || wanted.verdict || wanted.proof;
  return terms.every((term) => text.includes(term))
    && (!wanted.position || printable(row.position) === wanted.position)
    && (!narrowed || names.some((name) => fits(row.aspects[name])));
}

filtering("provider", rows, matches, (wanted) => {
  for (const cell of grid.querySelectorAll("[data-aspect-column]")) {
    cell.hidden = Boolean(wanted.aspect) && cell.dataset.aspectColumn !== wanted.aspect;
  }
});

addressed((name, aspect) => {
  const row = rows.find((each) => each.id === name);
  if (row) (row.aspects[aspect] ? cellDetail : providerDetail)(row, aspect);
  else if (name === "together" && data.stack && data.stack.aspects[aspect]) stackDetail(aspect);
});
