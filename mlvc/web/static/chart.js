// One chart of one metric, of one run or of several over each other.
import { joined, smoothed } from "./series.js";

const palette = ["#2a5c9a", "#c2410c", "#2e7d46", "#9333ea", "#b7791f", "#0e7490", "#be185d", "#4d7c0f", "#6b4226", "#475569"];
const dashes = [[], [6, 4], [2, 3]];
const HEIGHT = 220;

function ink() {
  const style = getComputedStyle(document.documentElement);
  return { text: style.getPropertyValue("--dim").trim(), grid: style.getPropertyValue("--line").trim() };
}

function shown(value) {
  return value === null || value === undefined ? "" : String(Number(value.toPrecision(5)));
}

export class Chart {
  // `names`: of the runs, in the order of their series. `zoomed(range)` is called when the reader chose a stretch of the axis, with null for all of it.
  constructor(key, names, zoomed) {
    this.key = key;
    this.names = names;
    this.zoomed = zoomed;
    this.box = document.createElement("figure");
    this.box.className = "chart";
    this.box.dataset.key = key;
    this.title = document.createElement("figcaption");
    this.title.textContent = key;
    this.place = document.createElement("div");
    this.place.style.minHeight = `${HEIGHT + 30}px`;
    this.box.append(this.title, this.place);
    this.plot = null;
    this.parts = null;
  }

  // Draws what `parts` holds: for each run {x, y} or undefined. `range`: the stretch of the axis to show, or null.
  draw(parts, { axis, axisName, weight, isLog, range }) {
    this.parts = parts;
    const series = parts.map((one, run) => ({ ...one, run })).filter((one) => one.x?.length);
    const isPositive = series.some((one) => one.y.some((y) => y > 0));
    const hidden = isLog && isPositive ? series.reduce((sum, one) => sum + one.y.filter((y) => y !== null && y <= 0).length, 0) : 0;
    const raw = joined(series.map((one) => ({ x: one.x, y: isLog && isPositive ? one.y.map((y) => (y > 0 ? y : null)) : one.y })));
    const data = [raw[0], ...raw.slice(1).map((values) => smoothed(values, weight))];
    this.title.textContent = this.key;
    if (isLog && (hidden || !isPositive)) {
      const said = document.createElement("span");
      said.className = "dim";
      said.textContent = isPositive ? ` ${hidden} points of 0 or less have no place on a log axis` : " nothing above 0: no log axis";
      this.title.append(said);
    }
    const { text, grid } = ink();
    const axes = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: "11px system-ui" };
    this.clear();
    this.isSetting = true;
    this.plot = new uPlot({
      width: Math.max(220, this.place.clientWidth),
      height: HEIGHT,
      scales: { x: { time: axis === "_timestamp" }, y: { distr: isLog && isPositive ? 3 : 1 } },
      axes: [axes, { ...axes, size: 70, values: (_, splits) => splits.map(shown) }],
      legend: { live: true },
      cursor: { sync: { key: "charts" }, drag: { x: true, y: false }, bind: { dblclick: () => () => { this.zoomed(null); return null; } } },
      hooks: {
        drawAxes: [(plot) => { if (weight) this.drawFaint(plot, raw); }],
        setScale: [(plot, name) => { if (name === "x" && !this.isSetting) this.zoomed({ min: plot.scales.x.min, max: plot.scales.x.max }); }],
      },
      series: [
        { label: axisName },
        ...series.map((one) => ({
          label: this.names[one.run],
          stroke: palette[one.run % palette.length],
          dash: dashes[Math.floor(one.run / palette.length) % dashes.length],
          width: 1.5,
          value: (_, value) => shown(value),
          points: { show: one.x.length < 40 },
        })),
      ],
    }, data, this.place);
    if (range) this.plot.setScale("x", range);
    this.plot.root.setAttribute("role", "img");
    const last = series.map((one) => `${this.names[one.run]}: ${one.y.filter((y) => y !== null).at(-1) ?? "no number"}`).join(", ");
    this.plot.root.setAttribute("aria-label", `${this.key}, last values ${last}`);
    queueMicrotask(() => { this.isSetting = false; }); // uPlot tells of its scales at the end of this turn
  }

  // What was logged, behind its smoothed line.
  drawFaint(plot, raw) {
    const { ctx } = plot;
    ctx.save();
    ctx.globalAlpha = 0.25;
    ctx.beginPath();
    ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
    ctx.clip();
    raw.slice(1).forEach((values, place) => {
      ctx.strokeStyle = plot.series[place + 1].stroke(plot, place + 1);
      ctx.beginPath();
      let isDown = false;
      values.forEach((value, at) => {
        if (value === null) isDown = false;
        if (value === null || value === undefined) return;
        const x = plot.valToPos(raw[0][at], "x", true);
        const y = plot.valToPos(value, "y", true);
        isDown ? ctx.lineTo(x, y) : ctx.moveTo(x, y);
        isDown = true;
      });
      ctx.stroke();
    });
    ctx.restore();
  }

  clear() {
    this.plot?.destroy();
    this.plot = null;
  }
}
