// Computes a receipt's proof again in the reader's own browser, and says what came of it.
/** @import { Included, PublicKey } from "../../answers.d.ts" */
import { byId, el } from "../battle/dom.js";
import { rootOf, signedBy } from "./inclusion.js";

const list = byId("receipt-proof");
/** @type {Record<string, string>} */
const words = await (await fetch(new URL(`../${list.dataset.language}.json`, import.meta.url))).json();

/** @param {[good: boolean, word: string][]} items */
const show = (items) =>
  list.replaceChildren(
    ...items.map(([good, word]) => el("li", { class: good ? "arena-ok" : "arena-bad" }, words[word])),
  );

/**
 * @param {string} receipt
 * @returns {Promise<Included>}
 */
const getProof = async (receipt) => (await fetch(`/api/v1/receipts/${receipt}`)).json();

/** @returns {Promise<{ keys: PublicKey[] }>} */
const getKeys = async () => (await fetch("/.well-known/jwks.json")).json();

try {
  const receipt = list.dataset.receipt ?? "";
  const { leaf_index, inclusion_path, checkpoint } = await getProof(receipt);
  const rootGood = (await rootOf(receipt, leaf_index, checkpoint.size, inclusion_path)) === checkpoint.root;
  const signatureGood = await signedBy(checkpoint, (await getKeys()).keys);
  show([
    [rootGood, rootGood ? "receipt_root_ok" : "receipt_proof_bad"],
    [signatureGood, signatureGood ? "receipt_signature_ok" : "receipt_proof_bad"],
  ]);
} catch {
  show([[false, "receipt_proof_bad"]]);
}
