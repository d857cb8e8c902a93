// The lineage of a page: draws more or less of it in place, so that what the reader looks at stays where it is.
import { Graph } from "./lineage_graph.js";

let graph = null;
let latest = 0;

function start(held = null) {
  const part = document.querySelector(".lineage");
  graph = part.dataset.later ? null : new Graph(part, { redraw, held });
  if (part.dataset.later) redraw(part.dataset.later, { isFirst: true });
}

// Puts what an address shows in the place of what is shown. `at`: the node that stays where it is on the screen.
async function redraw(address, { at = null, isFirst = false } = {}) {
  const mine = ++latest;
  document.querySelector(".lineage").setAttribute("aria-busy", "true");
  const answer = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
  if (mine !== latest) return; // something else was asked for meanwhile
  if (!answer?.ok) {
    location.href = address; // the browser tells what is wrong with it
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".lineage");
  if (mine !== latest) return;
  const held = graph?.held(at);
  document.querySelector(".lineage").replaceWith(document.adoptNode(fresh));
  if (!isFirst) history.pushState(null, "", fresh.dataset.address ?? address);
  start(held);
}

addEventListener("popstate", () => location.reload());
start();
