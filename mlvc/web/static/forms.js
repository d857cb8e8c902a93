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
