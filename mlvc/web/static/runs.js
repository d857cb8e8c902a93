// A choice in the bar above the table asks at once; columns wait for the button.
const ask = document.getElementById("ask");
for (const select of ask.querySelectorAll("select")) select.addEventListener("change", () => ask.requestSubmit());
