// The reader's language and its words. The server has chosen it; a link chooses the other one.
/** @import { Language, Words } from "../../answers.d.ts" */

/** @type {Language} */
export const language = document.querySelector('[data-language="en"]') ? "en" : "ko";
/** @type {Record<string, string>} */
const texts = {};

/** Gets the words, of the citizens' pages or of the console, before anything is said. */
export async function loadWords(file = `${language}.json`) {
  const response = await fetch(new URL(`../${file}`, import.meta.url));
  if (!response.ok) throw new Error("words");
  Object.assign(texts, await response.json());
}

/**
 * The words under a key, with values filled into their places; a key that is not there stands for itself.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export const t = (key, values = {}) =>
  Object.entries(values).reduce(
    (text, [name, value]) => text.replaceAll(`{${name}}`, String(value)),
    texts[key] ?? key,
  );

/** @param {Words} bilingual */
export const pick = (bilingual) => bilingual[language];

/** @param {number} n */
export const number = (n) => new Intl.NumberFormat(language === "ko" ? "ko-KR" : "en-GB").format(n);

/** Gradio follows the browser's language; the page's is the reader's choice. */
export function keepLanguage() {
  const set = () => {
    if (document.documentElement.lang !== language) document.documentElement.lang = language;
  };
  set();
  new MutationObserver(set).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
}
