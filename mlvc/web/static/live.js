// Follows the repository: when something changed, the parts of the page marked with data-live are fetched anew and replaced.
let state = document.documentElement.dataset.state;
let latest = state;
let told = state;
let busy = false;

// Nobody's typing, and nothing that was opened, is taken away.
function isInUse(part) {
  if (part.contains(document.activeElement) || part.querySelector("details[open] form")) return true;
  return [...part.querySelectorAll("input:not([type=checkbox]):not([type=hidden]), textarea")].some((field) => field.value !== field.defaultValue);
}

function replaceWith(part, now) {
  const chosen = new Set([...part.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.value));
  part.replaceChildren(...document.adoptNode(now).childNodes);
  for (const box of part.querySelectorAll("input[type=checkbox]")) box.checked = chosen.has(box.value);
  tellSavings();
}

// What the server said of each part last: scripts change what is shown.
const said = new Map([...document.querySelectorAll("[data-live]")].map((part) => [part.dataset.live, part.innerHTML]));

async function refresh() {
  const wanted = latest;
  if (busy || document.hidden || wanted === state) return;
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    let isWhole = true;
    for (const part of document.querySelectorAll("[data-live]")) {
      const now = fresh.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`);
      if (!now || now.innerHTML === said.get(part.dataset.live)) continue;
      if (isInUse(part)) isWhole = false;
      else {
        said.set(part.dataset.live, now.innerHTML);
        replaceWith(part, now);
      }
    }
    if (isWhole) state = wanted; // or it is tried again
    if (wanted !== told) document.dispatchEvent(new Event("changed"));
    told = wanted;
  } catch {
    return; // the server has ended, or the page goes: the next event tells
  } finally {
    busy = false;
  }
}

// One tab listens for all: browsers give a site six connections, and would leave the seventh tab waiting for ever.
const channel = new BroadcastChannel("mlvc-events");
let isListening = false;
channel.onmessage = (event) => {
  if (event.data) hear(event.data);
  else if (isListening) channel.postMessage(latest); // a new tab asks
};

function hear(now) {
  latest = now;
  refresh();
}

function listen() {
  isListening = true;
  const events = new EventSource("/events");
  events.onmessage = (event) => {
    channel.postMessage(event.data);
    hear(event.data);
  };
  addEventListener("pagehide", () => events.close());
  return new Promise(() => {}); // for as long as this tab is there
}

channel.postMessage("");
if (navigator.locks) navigator.locks.request("mlvc-events", listen);
else listen(); // not offered beyond this machine without HTTPS
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 2000); // what could not be shown when it came

// What storing saves is counted once, while the page can be read already.
let savings = "";
function tellSavings() {
  const place = document.getElementById("saved");
  if (place && savings) place.textContent = savings;
}
if (document.getElementById("saved")) {
  fetch("/api/v1/storage").then((answer) => answer.json()).then((found) => {
    if (found.raw_bytes > found.stored_bytes) savings = `in packs on this disk; of it ${human(found.stored_bytes)} hold versions of ${human(found.raw_bytes)}`;
    tellSavings();
  }).catch(() => null); // the server has ended, or the page goes
}

function human(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let place = 0;
  while (bytes >= 1000 && place < units.length - 1) {
    bytes /= 1000;
    place += 1;
  }
  return `${place ? bytes.toFixed(1) : bytes} ${units[place]}`;
}
