const all = (query) => document.querySelectorAll(query);
const one = (id) => document.getElementById(id);
const stage = one("stage");
const chosen = one("stage").querySelector(".heat:not([hidden])").dataset.answer;

const original = one("photo").cloneNode();
original.removeAttribute("id");
original.className = "original";
original.alt = "";
stage.append(original);

const show = (answer) => {
  for (const part of all("[data-answer]")) part.toggleAttribute("hidden", part.dataset.answer !== answer);
  for (const button of all("[data-show]")) button.setAttribute("aria-pressed", button.dataset.show === answer);
  for (const note of all("[data-other]")) note.hidden = answer === chosen;
};
const set = () => {
  stage.style.setProperty("--cut", one("wipe").value + "%");
  document.body.style.setProperty("--opacity", one("opacity").value / 100);
  for (const id of ["wipe", "opacity"]) one(id).setAttribute("aria-valuetext", one(id).value + " %");
  stage.classList.toggle("wiping", one("wipe").value > 0);
  stage.classList.toggle("colour", one("colour").checked);
  stage.classList.toggle("bare", !one("outline").checked);
};

for (const button of all("[data-show]")) button.addEventListener("click", () => show(button.dataset.show));
for (const id of ["wipe", "opacity", "outline", "colour"]) one(id).addEventListener("input", set);
one("controls").hidden = false;
set();
