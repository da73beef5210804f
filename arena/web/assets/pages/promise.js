// Whether the promise in a citizen's file was kept, worked out in the reader's own browser: of the file nothing is sent
// but the number of the vote.
/** @import { Included, Pending, TreeHead } from "../../answers.d.ts" */
import { publicKeys, receiptOf } from "../battle/confirmation.js";
import { byId, el, sure } from "../battle/dom.js";
import { payloadOf, signed } from "../battle/jws.js";
import { rootOf, signedBy } from "./inclusion.js";

const form = sure(byId("promise-form"), HTMLFormElement);
const text = sure(byId("promise-text"), HTMLTextAreaElement);
const chosen = sure(byId("promise-file"), HTMLInputElement);
const said = byId("promise-said");
/** @type {Record<string, string>} */
const words = await (await fetch(new URL(`../${form.dataset.language}.json`, import.meta.url))).json();

/**
 * @typedef {{ good?: boolean, code: string, values?: Record<string, string> }} Outcome
 * @typedef {{ stage: string, receipt: string, cast_at: string, include_by: string }} Promised
 */

/** @param {string} at */
const moment = (at) =>
  new Date(at).toLocaleString(form.dataset.language, {
    dateStyle: "medium",
    timeStyle: "medium",
    timeZone: "Asia/Seoul",
  });

/** Where the vote stands: its proof, `null` where it waits for the next signature, nothing where it is not known. */
async function place(/** @type {string} */ receipt) {
  const answer = await fetch(`/api/v1/receipts/${receipt}`);
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error("offline");
  /** @type {Included | Pending} */
  const found = await answer.json();
  return found.status === "included" ? found : null;
}

/**
 * The first signature over the vote with this place.
 * @param {string} stage
 * @param {number} index
 * @returns {Promise<TreeHead>}
 */
async function firstOver(stage, index) {
  const asked = new URLSearchParams({ stage, after: String(index) });
  return (await (await fetch(`/api/v1/checkpoints?${asked}`)).json()).checkpoints[0];
}

/**
 * @param {string} file
 * @returns {Promise<Outcome>}
 */
async function outcomeOf(file) {
  let given;
  /** @type {Promised} */
  let promised;
  try {
    given = JSON.parse(file);
    promised = payloadOf(given.promise);
  } catch {
    return { code: "unreadable" };
  }
  if (!globalThis.crypto?.subtle) return { code: "unable" };
  const keys = await publicKeys();
  const isSigned = await signed(given.promise, keys).catch(() => false);
  if (!isSigned) return { code: "not_signed" };
  const { receipt, stage, include_by } = promised;
  if (given.receipt !== receipt || (await receiptOf(given.record)) !== receipt) return { code: "record_changed" };
  const values = { by: moment(include_by), receipt: receipt.slice(0, 12) };
  const due = Date.parse(include_by) <= Date.now();
  const found = await place(receipt);
  if (!found) return due ? { code: "missing", values } : { good: true, code: "not_due", values };
  const { leaf_index, inclusion_path, checkpoint } = found;
  const root = await rootOf(receipt, leaf_index, checkpoint.size, inclusion_path);
  if (root !== checkpoint.root || !(await signedBy(checkpoint, keys))) return { code: "unproven", values };
  const first = await firstOver(stage, leaf_index);
  const late = !(await signedBy(first, keys)) || Date.parse(first.at) > Date.parse(include_by);
  const at = { ...values, n: String(leaf_index + 1), at: moment(first.at) };
  return late ? { code: "late", values: at } : { good: true, code: "included", values: at };
}

/** @param {Outcome} outcome */
function show({ good = false, code, values = {} }) {
  const filled = Object.entries(values).reduce(
    (all, [name, value]) => all.replaceAll(`{${name}}`, value),
    words[`fate_${code}`],
  );
  const broken = ["missing", "late", "unproven"].includes(code);
  said.replaceChildren(
    el("p", { class: good ? "arena-ok" : "arena-alert" }, filled),
    broken ? el("p", {}, words.fate_show) : "",
  );
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = `${words.receipt_running}…`;
  try {
    show(await outcomeOf(text.value));
  } catch {
    show({ code: "offline" });
  }
});
chosen.addEventListener("change", async () => {
  text.value = (await chosen.files?.[0]?.text()) ?? "";
  form.requestSubmit();
});
