// One chart for each metric, of one run or of several over each other. Points come thinned out; and hide no spike.
const place = document.getElementById("charts");
const axis = document.getElementById("axis");
const smooth = document.getElementById("smooth");
const log = document.getElementById("log");
const which = document.getElementById("which");
const sources = place.dataset.sources.split(" ").filter(Boolean);
const names = JSON.parse(place.dataset.names);
const palette = ["#2a5c9a", "#c2410c", "#2e7d46", "#9333ea", "#b7791f", "#0e7490", "#be185d", "#4d7c0f", "#6b4226", "#475569"];
const dashes = [[], [6, 4], [2, 3]];
const charts = new Map();
let found = [];

function ink() {
  const style = getComputedStyle(document.documentElement);
  return { text: style.getPropertyValue("--dim").trim(), grid: style.getPropertyValue("--line").trim() };
}

function smoothed(values, weight) {
  if (!weight) return values;
  let last = 0;
  let total = 0;
  return values.map((value) => {
    if (value === null) return null;
    last = last * weight + (1 - weight) * value;
    total = total * weight + (1 - weight);
    return last / total; // without a pull to zero at the beginning
  });
}

// Series of several runs have x values of their own: uPlot wants one list of them.
function joined(series) {
  const all = [...new Set(series.flatMap((one) => one.x))].filter((x) => x !== null).sort((a, b) => a - b);
  if (series.length === 1) return [series[0].x, smoothed(series[0].y, Number(smooth.value))];
  const at = new Map(all.map((x, place) => [x, place]));
  return [all, ...series.map((one) => {
    const column = new Array(all.length).fill(undefined);
    const values = smoothed(one.y, Number(smooth.value));
    one.x.forEach((x, place) => { if (x !== null) column[at.get(x)] = values[place]; });
    return column;
  })];
}

function shown(value) {
  return value === null || value === undefined ? "" : String(Number(value.toPrecision(5)));
}

function draw({ keep = true } = {}) {
  const zoomed = new Map();
  for (const [key, { plot, ends }] of charts) {
    const { min, max } = plot.scales.x;
    if (keep && (min > ends[0] || max < ends[1])) zoomed.set(key, { min, max });
  }
  const wanted = which.value.toLowerCase();
  const keys = [...new Set(found.flatMap((one) => Object.keys(one.series)))].sort();
  document.getElementById("waiting")?.remove();
  for (const [key, chart] of charts) {
    chart.plot.destroy();
    chart.box.remove();
    charts.delete(key);
  }
  place.querySelector(".empty")?.remove();
  const fitting = keys.filter((key) => key.toLowerCase().includes(wanted));
  if (!fitting.length) {
    const said = document.createElement("p");
    said.className = "empty";
    said.textContent = keys.length ? "No metric has that in its name." : place.dataset.of === "system" ? "Nothing was measured of the machine." : "Nothing was logged. run.log({\"loss\": 0.1}) draws here.";
    place.append(said);
  }
  for (const key of fitting.slice(0, 200)) chartOf(key, zoomed.get(key));
}

function chartOf(key, zoomed) {
  const series = found.map((one, place) => ({ ...one.series[key], name: names[place], place })).filter((one) => one.x && one.x.length);
  if (!series.length) return;
  const box = document.createElement("figure");
  box.className = "chart";
  const title = document.createElement("figcaption");
  title.textContent = key;
  box.append(title);
  place.append(box);
  const { text, grid } = ink();
  const isTime = axis.value === "_timestamp";
  const axes = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: "11px system-ui" };
  const values = series.flatMap((one) => one.y).filter((y) => y !== null);
  const plot = new uPlot({
    width: Math.max(260, box.clientWidth - 24),
    height: 220,
    scales: { x: { time: isTime }, y: { distr: log.checked && values.every((y) => y > 0) ? 3 : 1 } },
    axes: [axes, { ...axes, size: 70, values: (_, splits) => splits.map(shown) }],
    legend: { live: true },
    cursor: { sync: { key: "charts" } },
    series: [
      { label: axis.selectedOptions[0].textContent },
      ...series.map((one) => ({
        label: one.name,
        stroke: palette[one.place % palette.length],
        dash: dashes[Math.floor(one.place / palette.length) % dashes.length],
        width: 1.5,
        value: (_, value) => shown(value),
        points: { show: one.x.length < 40 },
      })),
    ],
  }, joined(series), box);
  plot.root.setAttribute("role", "img");
  const last = series.map((one) => `${one.name}: ${one.y.filter((y) => y !== null).at(-1)}`).join(", ");
  plot.root.setAttribute("aria-label", `${key}, last values ${last}`);
  if (zoomed) plot.setScale("x", zoomed);
  const places = plot.data[0];
  charts.set(key, { plot, box, ends: [places[0], places.at(-1)] });
}

async function read({ keep = true } = {}) {
  const asked = new URLSearchParams({ x: axis.value, points: "800", of: place.dataset.of });
  const before = JSON.stringify(found);
  found = await Promise.all(sources.map(async (source) => {
    const answer = await fetch(`${source}?${asked}`);
    return answer.ok ? answer.json() : { series: {} };
  }));
  if (JSON.stringify(found) !== before) draw({ keep });
}

axis.addEventListener("change", () => read({ keep: false }));
for (const one of [smooth, log, which]) one.addEventListener("input", () => draw());
document.addEventListener("theme", () => draw());
document.addEventListener("changed", () => { if (found.some((one) => one.is_live)) read(); });
let resizing;
addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => draw(), 150); });
read();
