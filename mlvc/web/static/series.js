// What runs logged, as the server thins it out: asked for by key and stretch of the axis. A page that was written to a folder holds all of it in one file.
export class Source {
  constructor(address, { isStill, of }) {
    this.address = address;
    this.isStill = isStill;
    this.of = of;
    this.whole = null;
  }

  async ask(parameters) {
    const asked = new URLSearchParams({ of: this.of, ...parameters.plain });
    for (const key of parameters.keys ?? []) asked.append("key", key);
    const answer = await fetch(this.isStill ? this.address : `${this.address}?${asked}`);
    return answer.ok ? answer.json() : { keys: [], left_out: 0, is_live: false, series: {} };
  }

  // Which keys there are.
  async keys() {
    if (this.isStill) return (this.whole ??= await this.ask({ plain: {} }));
    return this.ask({ plain: { points: 4 }, keys: [""] });
  }

  async series(keys, axis, range) {
    if (this.isStill) return (await this.keys()).series;
    const plain = { x: axis, points: 800 };
    if (range) Object.assign(plain, { from: range.min, to: range.max });
    return (await this.ask({ plain, keys })).series;
  }
}

// The mean of a value and those before it, each worth `weight` of the one after it; without a pull to zero at the beginning.
export function smoothed(values, weight) {
  if (!weight) return values;
  let last = 0;
  let total = 0;
  return values.map((value) => {
    if (value === null || value === undefined) return value;
    last = last * weight + (1 - weight) * value;
    total = total * weight + (1 - weight);
    return last / total;
  });
}

// Series of several runs have x values of their own: uPlot wants one list of them. undefined is no point, null a gap.
export function joined(series) {
  const places = new Map([...new Set(series.flatMap((one) => one.x))].filter((x) => x !== null).sort((a, b) => a - b).map((x, place) => [x, place]));
  return [[...places.keys()], ...series.map((one) => {
    const column = new Array(places.size).fill(undefined);
    one.x.forEach((x, place) => { if (x !== null) column[places.get(x)] = one.y[place]; });
    return column;
  })];
}
