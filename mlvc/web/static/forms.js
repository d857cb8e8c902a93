// A change that is refused is told beside its form, and what was typed stays; one that is made leads where the server says.
addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  form.querySelector("[role=alert]")?.remove();
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, button)) });
    if (answer.ok) {
      if (new URL(answer.url).pathname === location.pathname) keepTyped(form);
      location.assign(answer.url);
      return;
    }
    const told = new DOMParser().parseFromString(await answer.text(), "text/html");
    say(form, [...told.querySelectorAll("main .warn, main .dim")].map((one) => one.textContent).join("; ") || told.body.textContent);
  } catch {
    say(form, "The server does not answer any more. mlvc ui starts it; load the page again to see whether this was done.");
  }
  if (button) button.disabled = false;
});

function say(form, text) {
  const said = document.createElement("p");
  said.className = "warn";
  said.setAttribute("role", "alert");
  said.textContent = text;
  form.append(said);
}

// What was typed into the other forms of a page is there again after one of them was sent.
const place = `typed:${location.pathname}`;

function fields() {
  return [...document.querySelectorAll("form[method=post] input:not([type=hidden]), form[method=post] textarea")];
}

function keepTyped(sent) {
  const typed = fields().filter((field) => field.form !== sent && field.value !== field.defaultValue).map((field) => [field.form.getAttribute("action"), field.name, field.value]);
  sessionStorage.setItem(place, JSON.stringify(typed));
}

for (const [action, name, value] of JSON.parse(sessionStorage.getItem(place) ?? "[]")) {
  const field = fields().find((one) => one.form.getAttribute("action") === action && one.name === name);
  if (!field) continue;
  field.value = value;
  const fold = field.closest("details");
  if (fold) fold.open = true;
}
sessionStorage.removeItem(place);
