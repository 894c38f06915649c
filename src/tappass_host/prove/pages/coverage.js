const rows = data.statements;

function detail(row) {
  const chips = [badge(row.verdict), badge(row.polarity, "plain"), row.level ? badge(row.level, "plain") : null];
  open(row.id, row.aspect, chips, row.places && row.places.length
    ? groups(row.places, (p) => p.use).map((same) => [el("h3", {}, same[0].use), el("div", { class: "claim" }, places([{ places: same }]))])
    : el("p", { class: "said" }, "It has no place in this Runtime."), encodeURIComponent(row.id));
}

const grid = document.getElementById("grid");
grid.addEventListener("click", (event) => {
  const line = event.target.closest("tr[data-row]");
  if (line) detail(rows[line.dataset.row]);
});

grid.addEventListener("keydown", (event) => {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const shown = [...grid.querySelectorAll("button")].filter((button) => button.offsetParent);
  const next = step && shown[shown.indexOf(event.target) + step];
  if (next) { event.preventDefault(); next.focus(); }
});

const text = (row) => [row.id, ...(row.places || []).flatMap((p) => [p.use, p.by, p.reach, p.reason])].filter(Boolean).join(" ").toLowerCase();

filtering("statement", rows, (row, terms, wanted) =>
  terms.every((term) => text(row).includes(term))
  && (!wanted.group || row.group === wanted.group)
  && (!wanted.aspect || row.aspect === wanted.aspect)
  && (!wanted.level || printable(row.level || "") === wanted.level));

addressed((name) => {
  const row = rows.find((each) => each.id === name);
  if (row) detail(row);
});
