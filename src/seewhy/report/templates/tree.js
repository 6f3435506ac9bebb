const branches = [...document.querySelectorAll("details.branch")];
const map = document.querySelector(".map svg");

// A map that is wider than the window begins with its root in the middle.
const root = map.querySelector("[data-node='0'] .frame");
const frame = map.parentElement;
frame.scrollLeft = root.x.baseVal.value + root.width.baseVal.value / 2 - frame.clientWidth / 2;

const fold = (open) => () => {
  for (const branch of branches) branch.open = open;
};
document.getElementById("open").addEventListener("click", fold(true));
document.getElementById("fold").addEventListener("click", fold(false));
document.querySelector(".buttons").hidden = false;

const unfold = (id) => {
  const wanted = document.getElementById(id);
  if (!wanted) return;
  for (let box = wanted.closest("details.branch"); box; box = box.parentElement.closest("details.branch")) box.open = true;
  wanted.scrollIntoView({ block: "start" });
  wanted.focus({ preventScroll: true });
};
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#n"]');
  if (link) setTimeout(() => unfold(link.getAttribute("href").slice(1)));
});
if (/^#n\d+$/.test(location.hash)) unfold(location.hash.slice(1));

const photos = [...document.querySelectorAll(".follow details")];
const mark = () => {
  const shown = photos.find((photo) => photo.open);
  const passed = new Set(shown ? shown.dataset.nodes.split(" ") : []);
  map.classList.toggle("following", Boolean(shown));
  for (const part of map.querySelectorAll("[data-node], [data-to]")) {
    part.classList.toggle("on", passed.has(part.dataset.node ?? part.dataset.to));
  }
};
for (const photo of photos) photo.addEventListener("toggle", mark);
mark();
