// Moves around in the lineage: drag and wheel, buttons, arrows; a click shows details, a second one, or Enter, opens.
const svg = document.getElementById("graph");
const world = document.getElementById("world");
const details = document.getElementById("details");
const boxes = [...world.querySelectorAll(".box")];
const byKey = new Map(boxes.map((box) => [box.dataset.key, box]));
const rows = new Map([...document.querySelectorAll("#nodes tr[data-key]")].map((row) => [row.dataset.key, row]));
const lines = [...world.querySelectorAll(".line")];
const width = Number(svg.dataset.width);
const height = Number(svg.dataset.height);
let view = { x: 0, y: 0, w: width, h: height };
let current = null;
const LEGIBLE = 0.9;

function show() {
  svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
}

function fit() {
  const drawn = (height / Math.max(width, 500)) * svg.clientWidth;
  svg.style.height = `${Math.min(Math.max(drawn + 60, 340), innerHeight * 0.66)}px`;
  const ratio = svg.clientWidth / svg.clientHeight || 1;
  const w = Math.max(width, height * ratio, 500);
  view = { x: (width - w) / 2, y: (height - w / ratio) / 2, w, h: w / ratio };
  show();
}

function zoom(factor, x = view.x + view.w / 2, y = view.y + view.h / 2) {
  const w = Math.min(Math.max(view.w * factor, 200), Math.max(width, height, 500) * 4);
  const real = w / view.w;
  view = { x: x - (x - view.x) * real, y: y - (y - view.y) * real, w, h: view.h * real };
  show();
}

function position(box) {
  const [x, y] = box.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
  return { x: x + 100, y: y + 23 };
}

function center(box) {
  const { x, y } = position(box);
  const ratio = svg.clientHeight / svg.clientWidth || 1;
  const w = Math.min(view.w, svg.clientWidth / LEGIBLE);
  view = { x: x - w / 2, y: y - (w * ratio) / 2, w, h: w * ratio };
  show();
}

function choose(box, { move = false, focus = true } = {}) {
  current?.classList.remove("chosen");
  current?.setAttribute("aria-selected", "false");
  current?.setAttribute("tabindex", "-1");
  current = box;
  box.classList.add("chosen");
  box.setAttribute("aria-selected", "true");
  box.setAttribute("tabindex", "0");
  for (const line of lines) line.classList.toggle("near", line.dataset.from === box.dataset.key || line.dataset.to === box.dataset.key);
  const held = rows.get(box.dataset.key)?.querySelector("template");
  if (held) details.replaceChildren(held.content.cloneNode(true));
  if (move) center(box);
  if (focus) box.focus({ preventScroll: true });
}

function open(box) {
  location.href = box.dataset.open;
}

function nearest(dx, dy) {
  if (!current) return boxes[0];
  const from = position(current);
  let best = null;
  let least = Infinity;
  for (const box of boxes) {
    if (box === current) continue;
    const to = position(box);
    const along = (to.x - from.x) * dx + (to.y - from.y) * dy;
    const aside = Math.abs((to.x - from.x) * dy) + Math.abs((to.y - from.y) * dx);
    if (along <= 5) continue;
    const cost = along + aside * 2;
    if (cost < least) {
      least = cost;
      best = box;
    }
  }
  return best;
}

let drag = null;
svg.addEventListener("pointerdown", (event) => {
  drag = { x: event.clientX, y: event.clientY, view: { ...view }, moved: false, box: event.target.closest(".box") };
});
svg.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const scale = view.w / svg.clientWidth;
  const dx = event.clientX - drag.x;
  const dy = event.clientY - drag.y;
  if (!drag.moved && Math.hypot(dx, dy) < 4) return;
  if (!drag.moved) svg.setPointerCapture(event.pointerId);
  drag.moved = true;
  view = { ...drag.view, x: drag.view.x - dx * scale, y: drag.view.y - dy * scale };
  show();
});
svg.addEventListener("pointerup", () => {
  if (drag && !drag.moved && drag.box) drag.box === current && drag.box.classList.contains("group") ? open(drag.box) : choose(drag.box);
  drag = null;
});
svg.addEventListener("dblclick", (event) => {
  const box = event.target.closest(".box");
  if (box) open(box);
});
svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  const bounds = svg.getBoundingClientRect();
  const x = view.x + ((event.clientX - bounds.left) / bounds.width) * view.w;
  const y = view.y + ((event.clientY - bounds.top) / bounds.height) * view.h;
  zoom(Math.exp(event.deltaY / 500), x, y);
}, { passive: false });

const turns = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
svg.addEventListener("keydown", (event) => {
  if (turns[event.key]) {
    const box = nearest(...turns[event.key]);
    if (box) choose(box, { move: true });
  } else if (event.key === "Enter" || event.key === " ") {
    if (current) open(current);
  } else if (event.key === "+" || event.key === "=") zoom(0.8);
  else if (event.key === "-") zoom(1.25);
  else if (event.key === "0" || event.key === "f") fit();
  else return;
  event.preventDefault();
});

document.getElementById("fit").addEventListener("click", fit);
document.getElementById("closer").addEventListener("click", () => zoom(0.8));
document.getElementById("further").addEventListener("click", () => zoom(1.25));
document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  const fitting = boxes.filter((box) => wanted && box.getAttribute("aria-label").toLowerCase().includes(wanted));
  for (const box of boxes) box.classList.toggle("unfit", Boolean(wanted) && !fitting.includes(box));
  if (fitting.length) choose(fitting[0], { move: true, focus: false });
});
for (const row of rows.values()) row.addEventListener("mouseenter", () => { const box = byKey.get(row.dataset.key); if (box) choose(box, { focus: false }); });

fit();
const focus = world.querySelector(".box.focus");
if (focus) {
  choose(focus, { focus: false });
  if (svg.clientWidth / view.w < 0.7) center(focus); // the whole would be too small to read; Fit shows it
}
