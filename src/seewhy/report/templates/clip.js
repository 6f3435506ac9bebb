const all = (query) => document.querySelectorAll(query);
const one = (id) => document.getElementById(id);
const charts = [...all(".chart[data-points]")].map((chart) => ({
  chart,
  points: JSON.parse(chart.dataset.points),
  values: JSON.parse(chart.dataset.values),
  said: chart.previousElementSibling.querySelector("[data-value]"),
}));
const count = charts[0].points.length;
const stamps = JSON.parse(one("stage").dataset.stamps);
const slider = one("frame");
let timer = 0;

const show = (frame) => {
  for (const part of all("[data-frame]")) part.toggleAttribute("hidden", Number(part.dataset.frame) !== frame);
  for (const button of all(".strip button")) {
    if (Number(button.dataset.to) === frame) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  for (const { chart, points, values, said } of charts) {
    chart.querySelector(".head").style.left = chart.querySelector(".point").style.left = points[frame][0] + "%";
    chart.querySelector(".point").style.top = points[frame][1] + "%";
    said.textContent = values[frame];
  }
  one("stamp").textContent = stamps[frame];
  slider.value = frame;
  slider.setAttribute("aria-valuetext", `${stamps[frame]}: ${charts.map(({ values }) => values[frame]).join(", ")}`);
};
const halt = () => {
  clearInterval(timer);
  timer = 0;
  one("play").setAttribute("aria-pressed", "false");
  one("play").querySelector("span").textContent = "Play";
};
const play = () => {
  timer = setInterval(() => show((Number(slider.value) + 1) % count), Math.max(40, Number(one("stage").dataset.gap)));
  one("play").setAttribute("aria-pressed", "true");
  one("play").querySelector("span").textContent = "Stop";
};
const nearest = (chart, points, event) => {
  const box = chart.getBoundingClientRect();
  const at = 100 * (event.clientX - box.left) / box.width;
  return points.reduce((best, [across], frame) => Math.abs(across - at) < Math.abs(points[best][0] - at) ? frame : best, 0);
};
const set = () => {
  document.body.style.setProperty("--opacity", one("opacity").value / 100);
  one("opacity").setAttribute("aria-valuetext", one("opacity").value + " %");
  one("stage").classList.toggle("colour", one("colour").checked);
  one("stage").classList.toggle("bare", !one("outline").checked);
};

for (const { chart, points } of charts) {
  for (const kind of ["pointermove", "pointerdown"]) {
    chart.addEventListener(kind, (event) => { halt(); show(nearest(chart, points, event)); });
  }
}
slider.addEventListener("input", () => { halt(); show(Number(slider.value)); });
one("play").addEventListener("click", () => timer ? halt() : play());
for (const button of all("[data-to]")) {
  button.addEventListener("click", () => {
    halt();
    show(Number(button.dataset.to));
    if (!button.closest(".strip")) one("stage").scrollIntoView({ block: "nearest" });
  });
}
for (const id of ["opacity", "outline", "colour"]) one(id).addEventListener("input", set);
one("player").hidden = one("controls").hidden = false;
set();
