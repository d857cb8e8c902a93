// The table of runs: how many are chosen to compare, and all of a page at once.
const form = document.getElementById("compare");
const most = Number(form?.dataset.most);

function boxes() {
  return [...form.querySelectorAll("input[name=run]")];
}

function count() {
  const chosen = boxes().filter((box) => box.checked).length;
  const isFit = chosen > 1 && chosen <= most;
  document.getElementById("comparing").disabled = !isFit;
  document.getElementById("chosen").textContent = chosen > most ? `${chosen} chosen, ${chosen - most} too many` : chosen ? `${chosen} chosen` : `up to ${most}`;
}

form?.addEventListener("change", (event) => {
  if (event.target.id === "all") for (const box of boxes()) box.checked = event.target.checked;
  count();
});
document.addEventListener("changed", () => { if (form) count(); });
if (form) count();
