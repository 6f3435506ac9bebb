const table = document.getElementById("units");
const body = table.tBodies[0];
const numeric = (text) => text !== "" && !Number.isNaN(Number(text));

const sort = (heading) => {
  const place = heading.cellIndex;
  const now = heading.getAttribute("aria-sort");
  const first = ["rank", "name", "p"].includes(heading.dataset.sort) ? "ascending" : "descending";
  const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", next);
  const sign = next === "ascending" ? 1 : -1;
  const rows = [...body.rows];
  rows.sort((one, other) => {
    const [a, b] = [one.cells[place].dataset.value, other.cells[place].dataset.value];
    const order = numeric(a) && numeric(b) ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return sign * order;
  });
  body.append(...rows);
};

for (const heading of table.tHead.rows[0].cells) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...heading.childNodes);
  heading.append(button);
  button.addEventListener("click", () => sort(heading));
}
for (const hint of document.querySelectorAll(".hint, .find")) hint.hidden = false;

const find = document.getElementById("find");
if (find) find.addEventListener("input", () => {
  const wanted = find.value.trim().toLowerCase();
  let found = 0;
  for (const row of body.rows) {
    row.hidden = !row.cells[1].textContent.toLowerCase().includes(wanted);
    found += !row.hidden;
  }
  document.getElementById("count").textContent = wanted ? `${found} found` : "";
});
