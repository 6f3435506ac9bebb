const all = (query) => document.querySelectorAll(query);
const one = (id) => document.getElementById(id);
const numbers = JSON.parse(one("numbers-json").textContent);
const times = numbers.clip.seconds ?? numbers.clip.frames;
const stamps = [...all(".strip button")].map((button) => [button.querySelector("span").textContent, button.querySelector("b").textContent]);
const span = times.at(-1) - times[0] || 1;
const low = Math.min(0, ...numbers.importance);
const high = Math.max(0, ...numbers.importance);
const slider = one("frame");
let timer = 0;

const show = (frame) => {
  for (const part of all("[data-frame]")) part.toggleAttribute("hidden", Number(part.dataset.frame) !== frame);
  for (const button of all(".strip button")) {
    if (Number(button.dataset.to) === frame) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  const across = 100 * (times[frame] - times[0]) / span + "%";
  one("head").style.left = one("point").style.left = across;
  one("point").style.top = 100 * (1 - (numbers.importance[frame] - low) / (high - low || 1)) + "%";
  const number = numbers.clip.seconds ? `, frame ${numbers.clip.frames[frame]}` : "";
  one("stamp").textContent = `${stamps[frame][0]}${number}: ${stamps[frame][1]}`;
  slider.value = frame;
  slider.setAttribute("aria-valuetext", one("stamp").textContent);
};
const halt = () => {
  clearInterval(timer);
  timer = 0;
  one("play").setAttribute("aria-pressed", "false");
  one("play").querySelector("span").textContent = "Play";
};
const play = () => {
  timer = setInterval(() => show((Number(slider.value) + 1) % times.length), Math.max(40, Number(one("stage").dataset.gap)));
  one("play").setAttribute("aria-pressed", "true");
  one("play").querySelector("span").textContent = "Stop";
};
const nearest = (event) => {
  const box = one("chart").getBoundingClientRect();
  const at = times[0] + span * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  return times.reduce((best, time, frame) => Math.abs(time - at) < Math.abs(times[best] - at) ? frame : best, 0);
};
const set = () => {
  document.body.style.setProperty("--opacity", one("opacity").value / 100);
  one("opacity").setAttribute("aria-valuetext", one("opacity").value + " %");
  one("stage").classList.toggle("colour", one("colour").checked);
  one("stage").classList.toggle("bare", !one("outline").checked);
};

for (const kind of ["pointermove", "pointerdown"]) {
  one("chart").addEventListener(kind, (event) => { halt(); show(nearest(event)); });
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
