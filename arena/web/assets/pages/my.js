// Withdrawing: asked twice, because it cannot be undone.

const byId = (id) => document.getElementById(id);
const [ask, sure, said] = [byId("withdraw"), byId("withdraw-sure"), byId("withdraw-said")];

function asking(open) {
  ask.hidden = open;
  sure.hidden = !open;
  (open ? byId("withdraw-no") : ask).focus();
}

ask.addEventListener("click", () => asking(true));
byId("withdraw-no").addEventListener("click", () => asking(false));
byId("withdraw-yes").addEventListener("click", async () => {
  const response = await fetch("/api/v1/session", { method: "DELETE" }).catch(() => null);
  said.textContent = response?.ok ? said.dataset.done : said.dataset.failed;
  if (!response?.ok) return;
  sure.hidden = true;
  document.querySelector(".arena-battles")?.remove();
});
