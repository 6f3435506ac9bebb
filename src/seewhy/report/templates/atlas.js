const one = (id) => document.getElementById(id);
const atlas = one("atlas");
const cards = [...atlas.children];

const number = (card, key) => {
  const text = card.dataset[key];
  return text === "" ? -Infinity : Number(text);
};

const arrange = () => {
  const key = one("sort").value;
  const order = key === "channel" ? (a, b) => number(a, key) - number(b, key) : (a, b) => number(b, key) - number(a, key) || number(a, "channel") - number(b, "channel");
  atlas.append(...[...cards].sort(order));
};

const filter = () => {
  const wanted = one("search").value.trim().toLowerCase();
  const digits = /^\d+$/.test(wanted);
  let shown = 0;
  for (const card of cards) {
    const fits = wanted === "" || (digits ? card.dataset.channel === wanted : card.dataset.words.includes(wanted));
    card.toggleAttribute("hidden", !fits);
    shown += fits;
  }
  one("count").textContent = `${shown} of ${cards.length} units`;
};

const enlarge = (card) => {
  const copy = card.cloneNode(true);
  copy.removeAttribute("tabindex");
  copy.removeAttribute("role");
  copy.removeAttribute("aria-label");
  for (const part of copy.querySelectorAll("details")) part.open = true;
  one("shown").replaceChildren(copy);
  one("large").showModal();
};

for (const card of cards) {
  card.tabIndex = 0;
  card.setAttribute("role", "button");
  card.setAttribute("aria-label", `Unit ${card.dataset.channel}: open the large card`);
  card.addEventListener("click", () => enlarge(card));
  card.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      enlarge(card);
    }
  });
}
one("search").addEventListener("input", filter);
one("sort").addEventListener("change", arrange);
one("tools").addEventListener("submit", (event) => event.preventDefault());
one("close").addEventListener("click", () => one("large").close());
one("large").addEventListener("click", (event) => event.target === one("large") && one("large").close());
one("tools").hidden = false;
document.documentElement.classList.add("ready");
const asked = /^#(\d+)$/.exec(location.hash);
if (asked) {
  const card = cards.find((other) => other.dataset.channel === asked[1]);
  if (card) enlarge(card);
}
