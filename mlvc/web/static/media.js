// Logged media one step at a time, with a slider; without it all steps stand below each other.
function begin(section) {
  const figures = [...section.querySelectorAll("figure")];
  const steps = [...new Set(figures.map((one) => Number(one.dataset.step)))].sort((a, b) => a - b);
  if (steps.length < 2) return;
  const bar = section.querySelector(".bar");
  if (!bar.hidden) return; // begun already
  const slider = bar.querySelector("input[type=range]");
  const all = bar.querySelector("input[type=checkbox]");
  const said = bar.querySelector("output");
  const show = () => {
    const step = steps[Number(slider.value)];
    slider.disabled = all.checked;
    slider.setAttribute("aria-valuetext", `step ${step}`);
    said.textContent = all.checked ? `${steps.length} steps` : `step ${step}`;
    for (const figure of figures) figure.hidden = !all.checked && Number(figure.dataset.step) !== step;
  };
  slider.max = steps.length - 1;
  slider.value = slider.max;
  bar.hidden = false;
  bar.addEventListener("input", show);
  show();
}

function beginAll() {
  for (const section of document.querySelectorAll("section[data-steps]")) begin(section);
}
document.addEventListener("changed", beginAll);
beginAll();
