const numbers = JSON.parse(document.getElementById("numbers-json").textContent);
const read = numbers.read;

const cellAt = (box, event) => {
  const [top, left, bottom, right] = read.window;
  const [height, width] = read.source;
  const x = (event.clientX - box.left) / box.width * width;
  const y = (event.clientY - box.top) / box.height * height;
  const column = Math.floor((x - left) / (right - left) * read.columns);
  const row = Math.floor((y - top) / (bottom - top) * read.rows);
  const seen = row >= 0 && row < read.rows && column >= 0 && column < read.columns;
  return { x: Math.round(x), y: Math.round(y), value: (map) => seen ? read.values[map][row * read.columns + column] * read.peaks[map] / 1000 : null };
};
const written = (value) => Number(value.toPrecision(3)).toString().replace("-", "−");

const tell = (event) => {
  const map = event.currentTarget;
  const here = map.querySelector(".here");
  const at = cellAt(map.getBoundingClientRect(), event);
  const value = at.value(map.dataset.map);
  const what = value === null ? "not seen" : (read.averaged ? "about " : "") + written(value);
  here.textContent = `${what} · pixel ${at.x}, ${at.y}`;
  here.hidden = false;
};
if (read) {
  for (const map of document.querySelectorAll("[data-map]")) {
    map.addEventListener("pointermove", tell);
    map.addEventListener("pointerdown", tell);
    map.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") event.currentTarget.querySelector(".here").hidden = true;
    });
  }
  const hint = document.getElementById("hint");
  if (hint) hint.hidden = false;
}
