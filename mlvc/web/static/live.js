// Follows the repository: when something changed, the parts of the page marked with data-live are fetched anew and replaced.
let state = document.documentElement.dataset.state;
let latest = state;
let busy = false;

async function refresh() {
  const wanted = latest;
  if (busy || wanted === state || document.querySelector("input:not([type=checkbox]):focus, textarea:focus, select:focus, .acts details[open]")) return; // nobody's typing is taken away
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.querySelector(`[data-live="${CSS.escape(old.dataset.live)}"]`);
      if (now && now.innerHTML !== old.innerHTML && !old.contains(document.activeElement)) {
        const chosen = new Set([...old.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.value));
        old.replaceChildren(...document.adoptNode(now).childNodes);
        for (const box of old.querySelectorAll("input[type=checkbox]")) box.checked = chosen.has(box.value);
      }
    }
    state = wanted;
    document.dispatchEvent(new Event("changed"));
  } finally {
    busy = false;
  }
}

const events = new EventSource("/events");
events.onmessage = (event) => {
  latest = event.data;
  refresh();
};
setInterval(refresh, 2000); // what could not be shown when it came
addEventListener("pagehide", () => events.close());

const saved = document.getElementById("saved");
if (saved) {
  fetch("/api/v1/storage").then((answer) => answer.json()).then((found) => {
    if (found.raw_bytes > found.stored_bytes) saved.textContent = `in packs on this disk, for ${human(found.raw_bytes)} of versions`;
  });
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
