// A log opens at its end, and follows it while the reader is there.
const log = document.querySelector("pre[data-live=log]");
const isAtEnd = () => log.scrollTop + log.clientHeight > log.scrollHeight - 40;
let follows = true;

function toEnd() {
  if (follows) log.scrollTop = log.scrollHeight;
}

if (log) {
  toEnd();
  log.addEventListener("scroll", () => { follows = isAtEnd(); });
  new MutationObserver(toEnd).observe(log, { childList: true, characterData: true, subtree: true });
}
