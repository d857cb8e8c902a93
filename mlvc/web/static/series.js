// What a run logged, as the server thins it out: asked for by key and stretch of the axis.
export class Unanswered extends Error {}

export class Source {
  constructor(address, of) {
    this.address = address;
    this.of = of;
  }

  async ask(plain, keys) {
    const asked = new URLSearchParams({ of: this.of, ...plain });
    for (const key of keys) asked.append("key", key);
    const answer = await fetch(`${this.address}?${asked}`).catch(() => null);
    if (!answer) throw new Unanswered("The server does not answer any more. mlvc ui starts it.");
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Unanswered(found.error ?? `The server answers ${answer.status}.`);
    return found;
  }

  // Which keys there are.
  keys() {
    return this.ask({ points: 4 }, [""]);
  }

  async series(keys, axis, range) {
    return (await this.ask({ x: axis, points: 800, ...(range && { from: range.min, to: range.max }) }, keys)).series;
  }
}

// The same within a page that was written to a file: all that there is, by one axis.
export class InlineSource {
  constructor(element) {
    this.whole = JSON.parse(element.textContent);
  }

  async keys() {
    return this.whole;
  }

  async series() {
    return this.whole.series;
  }
}

// The mean of a value and those before it, each worth `weight` of the one after it; without a pull to zero at the beginning.
function smoothed(values, weight) {
  let last = 0;
  let total = 0;
  return values.map((value) => {
    if (value === null) return null;
    last = last * weight + (1 - weight) * value;
    total = total * weight + (1 - weight);
    return last / total;
  });
}

// A series' line: its points; or, where it is smoothed, that of the means of all points, for a spike is no fair choice of them.
export function line(one, weight) {
  if (!weight) return { x: one.x, y: one.y };
  return one.mean_x ? { x: one.mean_x, y: smoothed(one.mean_y, weight) } : { x: one.x, y: smoothed(one.y, weight) };
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
