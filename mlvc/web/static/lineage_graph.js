// One drawn lineage: drag and wheel, buttons, arrows; a click shows details, a second one, or Enter, opens.
const LEGIBLE = 0.9;
const SIDES = { ArrowLeft: "up", ArrowRight: "down" };
const TURNS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const WORDS = { up: "upstream", down: "downstream" };

export class Graph {
  // `redraw(address, {at})` shows another extent; `held`: what an earlier drawing said of where the reader was.
  constructor(part, { redraw, held }) {
    this.part = part;
    this.redraw = redraw;
    this.svg = part.querySelector("#graph");
    this.details = part.querySelector("#details");
    this.boxes = [...part.querySelectorAll("#world .box")];
    this.byKey = new Map(this.boxes.map((box) => [box.dataset.key, box]));
    this.rows = new Map([...part.querySelectorAll("#nodes tr[data-key]")].map((row) => [row.dataset.key, row]));
    this.lines = [...part.querySelectorAll("#world .line")];
    this.width = Number(this.svg.dataset.width);
    this.height = Number(this.svg.dataset.height);
    this.current = null;
    this.listen();
    this.fit();
    const first = this.byKey.get(part.dataset.at) ?? part.querySelector(".box.focus");
    if (first) this.choose(first, { focus: held?.hadFocus ?? false });
    const stays = held && this.byKey.get(held.key);
    if (stays) this.keep(stays, held);
    else if (first && this.svg.clientWidth / this.view.w < 0.7) this.center(first); // the whole would be too small to read; Fit shows it
  }

  show() {
    const { x, y, w, h } = this.view;
    this.svg.setAttribute("viewBox", `${x} ${y} ${w} ${h}`);
  }

  fit() {
    const drawn = (this.height / Math.max(this.width, 500)) * this.svg.clientWidth;
    this.svg.style.height = `${Math.min(Math.max(drawn + 60, 340), innerHeight * 0.66)}px`;
    const ratio = this.svg.clientWidth / this.svg.clientHeight || 1;
    const w = Math.max(this.width, this.height * ratio, 500);
    this.view = { x: (this.width - w) / 2, y: (this.height - w / ratio) / 2, w, h: w / ratio };
    this.show();
  }

  zoom(factor, x = this.view.x + this.view.w / 2, y = this.view.y + this.view.h / 2) {
    const w = Math.min(Math.max(this.view.w * factor, 200), Math.max(this.width, this.height, 500) * 4);
    const real = w / this.view.w;
    this.view = { x: x - (x - this.view.x) * real, y: y - (y - this.view.y) * real, w, h: this.view.h * real };
    this.show();
  }

  position(box) {
    const [x, y] = box.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
    return { x: x + 100, y: y + 23 };
  }

  center(box) {
    const { x, y } = this.position(box);
    const ratio = this.svg.clientHeight / this.svg.clientWidth || 1;
    const w = Math.min(this.view.w, this.svg.clientWidth / LEGIBLE);
    this.view = { x: x - w / 2, y: y - (w * ratio) / 2, w, h: w * ratio };
    this.show();
  }

  // Where a node is within the view, for a drawing that follows this one.
  held(key) {
    const box = this.byKey.get(key);
    if (!box) return null;
    const { x, y } = this.position(box);
    return { key, dx: x - this.view.x, dy: y - this.view.y, w: this.view.w, hadFocus: this.svg.contains(document.activeElement) };
  }

  keep(box, { dx, dy, w }) {
    const { x, y } = this.position(box);
    const ratio = this.svg.clientHeight / this.svg.clientWidth || 1;
    this.view = { x: x - dx, y: y - dy, w, h: w * ratio };
    this.show();
  }

  async choose(box, { move = false, focus = true } = {}) {
    this.current?.classList.remove("chosen");
    this.current?.setAttribute("aria-selected", "false");
    this.current?.setAttribute("tabindex", "-1");
    this.current = box;
    box.classList.add("chosen");
    box.setAttribute("aria-selected", "true");
    box.setAttribute("tabindex", "0");
    const { key } = box.dataset;
    for (const line of this.lines) line.classList.toggle("near", line.dataset.from === key || line.dataset.to === key);
    if (move) this.center(box);
    if (focus) box.focus({ preventScroll: true });
    const held = this.rows.get(key)?.querySelector("template");
    const panel = held ? held.content.cloneNode(true) : await this.asked(box);
    if (this.current !== box) return; // another one was chosen meanwhile
    this.details.replaceChildren(panel);
    const heading = this.details.querySelector("h2");
    heading ? heading.after(this.acts(box)) : this.details.append(this.acts(box));
  }

  // The details of a node of a large graph, whose page comes without them.
  async asked(box) {
    if (box.classList.contains("group")) return document.createTextNode(box.getAttribute("aria-label"));
    const answer = await fetch(`/lineage/node?of=${box.dataset.key}`).catch(() => null);
    if (!answer?.ok) return document.createTextNode(box.getAttribute("aria-label"));
    return document.adoptNode(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".panel"));
  }

  // What can be shown or hidden beside a node.
  acts(box) {
    const list = document.createElement("p");
    const add = (text, work) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "small";
      button.textContent = text;
      button.addEventListener("click", work);
      list.append(button, " ");
    };
    if (box.classList.contains("group")) add("open this group", () => this.open(box));
    for (const side of ["up", "down"]) {
      const { more, less } = this.beside(box, side);
      if (more) add(`show ${more} more ${WORDS[side]}`, () => this.turn(box, side, "more"));
      if (less) add(`hide ${WORDS[side]}`, () => this.turn(box, side, "less"));
    }
    return list;
  }

  beside(box, side) {
    if ("still" in this.part.dataset) return {};
    const said = this.rows.get(box.dataset.key)?.dataset ?? {};
    const name = side === "up" ? "Up" : "Down";
    return { more: said[`more${name}`], less: `less${name}` in said };
  }

  turn(box, side, verb) {
    if ("still" in this.part.dataset) return;
    const { address } = this.part.dataset;
    this.redraw(`${address}${address.includes("?") ? "&" : "?"}do=${verb}:${side}:${box.dataset.key}`, { at: box.dataset.key });
  }

  open(box) {
    if (box.dataset.open === "#") return;
    if (box.classList.contains("group")) this.redraw(box.dataset.open, { at: this.part.querySelector(".box.focus")?.dataset.key });
    else location.href = box.dataset.open;
  }

  nearest(dx, dy) {
    if (!this.current) return this.boxes[0];
    const from = this.position(this.current);
    let best = null;
    let least = Infinity;
    for (const box of this.boxes) {
      if (box === this.current) continue;
      const to = this.position(box);
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

  find(text) {
    const wanted = text.trim().toLowerCase();
    const wordsOf = (box) => `${box.getAttribute("aria-label")} ${this.rows.get(box.dataset.key)?.dataset.words ?? ""}`.toLowerCase();
    const fitting = this.boxes.filter((box) => wanted && wordsOf(box).includes(wanted));
    for (const box of this.boxes) box.classList.toggle("unfit", Boolean(wanted) && !fitting.includes(box));
    this.part.querySelector("#hits").textContent = !wanted ? "" : fitting.length ? `${fitting.length} of ${this.boxes.length}` : "none drawn here";
    if (fitting.length) this.choose(fitting[0], { move: true, focus: false });
  }

  listen() {
    let drag = null;
    const { svg } = this;
    svg.addEventListener("pointerdown", (event) => {
      drag = { x: event.clientX, y: event.clientY, view: { ...this.view }, moved: false, box: event.target.closest(".box"), hint: event.target.closest(".hint") };
    });
    svg.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const scale = this.view.w / svg.clientWidth;
      const dx = event.clientX - drag.x;
      const dy = event.clientY - drag.y;
      if (!drag.moved && Math.hypot(dx, dy) < 4) return;
      if (!drag.moved) svg.setPointerCapture(event.pointerId);
      drag.moved = true;
      this.view = { ...drag.view, x: drag.view.x - dx * scale, y: drag.view.y - dy * scale };
      this.show();
    });
    svg.addEventListener("pointerup", () => {
      const { moved, box, hint } = drag ?? { moved: true };
      drag = null;
      if (moved) return;
      if (hint) this.turn(this.byKey.get(hint.dataset.of), hint.dataset.side === "0" ? "up" : "down", "more");
      else if (box) box === this.current && box.classList.contains("group") ? this.open(box) : this.choose(box);
    });
    svg.addEventListener("dblclick", (event) => {
      const box = event.target.closest(".box");
      if (box) this.open(box);
    });
    svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      const bounds = svg.getBoundingClientRect();
      const x = this.view.x + ((event.clientX - bounds.left) / bounds.width) * this.view.w;
      const y = this.view.y + ((event.clientY - bounds.top) / bounds.height) * this.view.h;
      this.zoom(Math.exp(event.deltaY / 500), x, y);
    }, { passive: false });
    svg.addEventListener("keydown", (event) => { if (this.key(event)) event.preventDefault(); });
    const click = (id, work) => this.part.querySelector(id).addEventListener("click", work);
    click("#fit", () => this.fit());
    click("#closer", () => this.zoom(0.8));
    click("#further", () => this.zoom(1.25));
    this.part.querySelector("#find").addEventListener("input", (event) => this.find(event.target.value));
    for (const link of this.part.querySelectorAll("a.redraw")) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        this.redraw(link.href, { at: this.current?.dataset.key });
      });
    }
    for (const row of this.rows.values()) {
      if (!row.querySelector("template")) continue; // of a large graph, nothing is asked for by moving over a list
      row.addEventListener("mouseenter", () => { const box = this.byKey.get(row.dataset.key); if (box) this.choose(box, { focus: false }); });
    }
  }

  // Does what a key stands for; tells whether it stands for anything.
  key(event) {
    const side = event.shiftKey && SIDES[event.key];
    if (side && this.current) {
      const { more, less } = this.beside(this.current, side);
      if (more || less) this.turn(this.current, side, more ? "more" : "less");
    } else if (TURNS[event.key]) {
      const box = this.nearest(...TURNS[event.key]);
      if (box) this.choose(box, { move: true });
    } else if (event.key === "Enter" || event.key === " ") {
      if (this.current) this.open(this.current);
    } else if (event.key === "+" || event.key === "=") this.zoom(0.8);
    else if (event.key === "-") this.zoom(1.25);
    else if (event.key === "0" || event.key === "f") this.fit();
    else return false;
    return true;
  }
}
