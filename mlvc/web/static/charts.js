// The charts of a page: which are drawn, how, and of which stretch; the address tells it all, so that it can be shared and loaded again.
import { Chart } from "./chart.js";
import { InlineSource, Source, Unanswered } from "./series.js";

const place = document.getElementById("charts");
const controls = Object.fromEntries(["axis", "smooth", "log", "which"].map((id) => [id, document.getElementById(id)]));
const whole = document.getElementById("whole");
const inline = [...document.querySelectorAll(".inline-series")].map((element) => new InlineSource(element));
const isStill = inline.length > 0;
const sources = isStill ? inline : place.dataset.sources.split(" ").filter(Boolean).map((address) => new Source(address, place.dataset.of));
const names = JSON.parse(place.dataset.names);
const charts = new Map();
const seen = new IntersectionObserver((entries) => load(entries.filter((one) => one.isIntersecting).map((one) => one.target.dataset.key)), { rootMargin: "300px" });
const usualAxis = controls.axis.options[0].value;
const MOST_AXES = 200;
let isLive = false;
let range = null;
let latest = 0;

function take() {
  const asked = new URLSearchParams(location.search);
  const axis = asked.get("x");
  if (axis && !isStill && !offers(axis)) controls.axis.add(new Option(axis, axis)); // another metric
  if (axis && offers(axis)) controls.axis.value = axis;
  controls.smooth.value = asked.get("smooth") ?? 0;
  controls.log.checked = asked.has("log");
  controls.which.value = asked.get("find") ?? "";
  const [min, max] = (asked.get("zoom") ?? "").split("..").map(Number);
  range = max - min > 1e-9 * Math.max(Math.abs(min), Math.abs(max)) ? { min, max } : null;
}

function offers(axis) {
  return [...controls.axis.options].some((one) => one.value === axis);
}

let telling;
function tell() {
  clearTimeout(telling); // browsers refuse too many in a short time
  telling = setTimeout(() => {
    const asked = new URLSearchParams(location.search);
    const values = {
      x: controls.axis.value === usualAxis ? "" : controls.axis.value,
      smooth: Number(controls.smooth.value) ? controls.smooth.value : "",
      log: controls.log.checked ? "1" : "",
      find: controls.which.value,
      zoom: range ? `${range.min}..${range.max}` : "",
    };
    for (const [name, value] of Object.entries(values)) value ? asked.set(name, value) : asked.delete(name);
    const text = asked.toString();
    if (!isStill) history.replaceState(null, "", text ? `?${text}` : location.pathname);
  }, 200);
}

function settings() {
  return { axis: controls.axis.value, axisName: controls.axis.selectedOptions[0].textContent, weight: Number(controls.smooth.value), isLog: controls.log.checked, range };
}

// Does what asks the server; where that has ended, what is drawn stays.
async function asking(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    document.getElementById("said").textContent = error.message;
  }
}

// Reads and draws some charts; what is drawn already stays until the new lines are there. An answer to what is not asked any more is
// dropped, but no chart stays without lines for it; and none is redrawn under a reader's drag.
async function load(keys, { fresh = false } = {}) {
  const mine = fresh ? ++latest : latest;
  const wanted = keys.filter((key) => charts.has(key) && (fresh || !charts.get(key).parts));
  if (!wanted.length) return;
  const asked = settings();
  await asking(async () => {
    const found = await Promise.all(sources.map((source) => source.series(wanted, asked.axis, asked.range)));
    if (mine !== latest) {
      load(wanted);
      return;
    }
    const isDragged = drawn().some((chart) => chart.isDragged);
    for (const chart of wanted.map((key) => charts.get(key))) {
      if (!chart || (isDragged && chart.parts)) continue;
      chart.draw(found.map((series) => series[chart.key] ?? { x: [], y: [] }), { ...settings(), axis: asked.axis, axisName: asked.axisName });
    }
  });
}

function drawn() {
  return [...charts.values()].filter((chart) => chart.parts);
}

function redraw({ isAnew = false } = {}) {
  for (const chart of drawn()) chart.draw(chart.parts, settings(), { isAnew });
}

let zooming;
function zoomed(chosen) {
  if (JSON.stringify(chosen) === JSON.stringify(range)) return;
  range = chosen;
  whole.hidden = !range;
  tell();
  clearTimeout(zooming);
  zooming = setTimeout(() => load(drawn().map((chart) => chart.key), { fresh: true }), isStill ? 0 : 120); // finer points of that stretch
}

async function read() {
  await asking(async () => show(await Promise.all(sources.map((source) => source.keys()))));
}

function show(found) {
  isLive = found.some((one) => one.is_live);
  document.getElementById("waiting")?.remove();
  const word = controls.which.value.toLowerCase();
  const all = [...new Set(found.flatMap((one) => one.keys))].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  const fitting = new Set(all.filter((key) => key.toLowerCase().includes(word)));
  for (const [key, chart] of charts) {
    if (fitting.has(key)) continue;
    seen.unobserve(chart.box);
    chart.clear();
    chart.box.remove();
    charts.delete(key);
  }
  let before = null;
  for (const key of fitting) {
    if (!charts.has(key)) {
      const chart = new Chart(key, names, zoomed);
      charts.set(key, chart);
      before ? before.after(chart.box) : place.prepend(chart.box);
      seen.observe(chart.box);
    }
    before = charts.get(key).box;
  }
  for (const key of isStill ? [] : all.slice(0, MOST_AXES)) if (!offers(key)) controls.axis.add(new Option(key, key));
  say(all.length, fitting.size, Math.max(0, ...found.map((one) => one.left_out ?? 0)));
}

function say(all, fitting, leftOut) {
  const said = document.getElementById("said");
  if (!all) said.textContent = place.dataset.of === "system" ? "Nothing was measured of the machine." : 'Nothing was logged. run.log({"loss": 0.1}) draws here.';
  else if (!fitting) said.textContent = "No metric has that in its name.";
  else said.textContent = leftOut ? `${leftOut} more metrics are not drawn: a page has 500.` : "";
}

controls.axis.addEventListener("change", () => { zoomed(null); tell(); load(drawn().map((chart) => chart.key), { fresh: true }); });
for (const one of [controls.smooth, controls.log]) one.addEventListener("input", () => { tell(); redraw(); });
controls.which.addEventListener("input", () => { tell(); read(); });
whole.addEventListener("click", () => zoomed(null));
document.addEventListener("theme", () => redraw({ isAnew: true }));
document.addEventListener("changed", async () => {
  if (!isLive) return;
  await read();
  load(drawn().map((chart) => chart.key), { fresh: true });
});
let resizing;
addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => redraw({ isAnew: true }), 150); });
take();
whole.hidden = !range;
read();
