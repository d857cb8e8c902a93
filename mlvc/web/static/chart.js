// One chart of one metric, of one run or of several over each other.
import { joined, line } from "./series.js";

const palettes = {
  light: ["#2a5c9a", "#c2410c", "#2e7d46", "#9333ea", "#b7791f", "#0e7490", "#be185d", "#4d7c0f", "#6b4226", "#475569"],
  dark: ["#6ea8f0", "#f59566", "#6fcf8f", "#c79bf7", "#e8bd5c", "#5ccbe0", "#f285b5", "#a6d65f", "#c9a184", "#a9b6c9"],
};
const dashes = [[], [6, 4], [2, 3]];
const HEIGHT = 220;

function look() {
  const style = getComputedStyle(document.documentElement);
  const palette = palettes[style.colorScheme.includes("dark") ? "dark" : "light"];
  return { palette, text: style.getPropertyValue("--dim").trim(), grid: style.getPropertyValue("--line").trim() };
}

function shown(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  const text = size >= 1e6 || (size && size < 1e-4) ? value.toExponential(3) : value.toPrecision(5);
  return String(text).includes("e") ? text.replace(/\.?0*e\+?/, "e") : String(Number(text));
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
    this.kind = "";
    this.parts = null;
    this.isDragged = false;
    this.place.addEventListener("mousedown", () => { this.isDragged = true; });
    addEventListener("mouseup", () => { this.isDragged = false; });
  }

  // Draws what `parts` holds: for each run {x, y} or undefined. `range`: the stretch of the axis to show, or null. `isAnew`: also what did not change.
  draw(parts, { axis, axisName, weight, isLog, range }, { isAnew = false } = {}) {
    this.parts = parts;
    const found = parts.map((one, run) => ({ ...one, run })).filter((one) => one.x?.length);
    const isPositive = found.some((one) => one.y.some((y) => y > 0));
    const onLog = isLog && isPositive;
    const fit = (values) => (onLog ? values.map((y) => (y === null || y > 0 ? y : null)) : values);
    this.raw = found.map((one) => ({ x: one.x, y: fit(one.y) }));
    this.weight = weight;
    const data = joined(found.map((one) => line({ ...one, y: fit(one.y), ...(one.mean_y && { mean_y: fit(one.mean_y) }) }, weight)));
    this.tell(found, isLog, isPositive);
    const kind = JSON.stringify([axis, onLog, found.map((one) => one.run)]);
    this.isSetting = true;
    if (this.plot && kind === this.kind && !isAnew) {
      this.plot.setData(data, !range); // in place: nothing that the reader hid or points at is lost
    } else {
      this.kind = kind;
      this.make(found, data, axis, axisName, onLog);
    }
    if (range) this.plot.setScale("x", range);
    queueMicrotask(() => { this.isSetting = false; }); // uPlot tells of its scales at the end of this turn
  }

  make(found, data, axis, axisName, onLog) {
    const { palette, text, grid } = look();
    const axes = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: "11px system-ui" };
    this.clear();
    this.plot = new uPlot({
      width: Math.max(220, this.place.clientWidth),
      height: HEIGHT,
      scales: {
        x: { time: axis === "_timestamp" },
        y: { distr: onLog ? 3 : 1, range: (_, least, greatest) => this.span(least, greatest, onLog) },
      },
      axes: [axes, { ...axes, size: 70, values: (_, splits) => splits.map(shown) }],
      legend: { live: true },
      cursor: { sync: { key: "charts" }, drag: { x: true, y: false }, bind: { dblclick: () => () => { this.zoomed(null); return null; } } },
      hooks: {
        drawAxes: [(plot) => { if (this.weight) this.drawFaint(plot); }],
        setScale: [(plot, name) => { if (name === "x" && !this.isSetting) this.zoomed({ min: plot.scales.x.min, max: plot.scales.x.max }); }],
      },
      series: [
        { label: axisName },
        ...found.map((one) => ({
          label: this.names[one.run],
          stroke: palette[one.run % palette.length],
          dash: dashes[Math.floor(one.run / palette.length) % dashes.length],
          width: 1.5,
          value: (_, value) => shown(value),
          points: { show: one.x.length < 40 },
        })),
      ],
    }, data, this.place);
    this.plot.root.setAttribute("role", "img");
    this.plot.root.setAttribute("aria-label", this.spoken);
  }

  // From the least to the greatest value that is drawn, that of the line behind a smoothed one included.
  span(least, greatest, onLog) {
    if (least === null) return [null, null];
    if (this.weight) {
      const { min, max } = this.plot?.scales.x ?? {};
      for (const one of this.raw) {
        one.y.forEach((y, place) => {
          if (y === null || one.x[place] < min || one.x[place] > max) return;
          least = Math.min(least, y);
          greatest = Math.max(greatest, y);
        });
      }
    }
    return onLog ? uPlot.rangeLog(least, greatest, 10, true) : uPlot.rangeNum(least, greatest, 0.1, true);
  }

  // What stands above the chart, and what is heard of it.
  tell(found, isLog, isPositive) {
    this.title.textContent = this.key;
    const hidden = isLog && isPositive ? found.reduce((sum, one) => sum + one.y.filter((y) => y !== null && y <= 0).length, 0) : 0;
    if (isLog && (hidden || !isPositive)) {
      const said = document.createElement("span");
      said.className = "dim";
      said.textContent = isPositive ? ` ${hidden} points of 0 or less have no place on a log axis` : " nothing above 0: no log axis";
      this.title.append(said);
    }
    const last = found.map((one) => `${this.names[one.run]}: ${one.y.filter((y) => y !== null).at(-1) ?? "no number"}`).join(", ");
    this.spoken = `${this.key}, last values ${last}`;
    this.plot?.root.setAttribute("aria-label", this.spoken);
  }

  // What was logged, behind its smoothed line.
  drawFaint(plot) {
    const { ctx } = plot;
    ctx.save();
    ctx.globalAlpha = 0.3;
    ctx.beginPath();
    ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
    ctx.clip();
    this.raw.forEach((one, place) => {
      if (!plot.series[place + 1].show) return;
      ctx.strokeStyle = plot.series[place + 1].stroke(plot, place + 1);
      ctx.beginPath();
      let isDown = false;
      one.x.forEach((x, at) => {
        const y = one.y[at];
        if (x === null || y === null) isDown = false;
        else {
          const to = [plot.valToPos(x, "x", true), plot.valToPos(y, "y", true)];
          isDown ? ctx.lineTo(...to) : ctx.moveTo(...to);
          isDown = true;
        }
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
