// The reader's language and its words. The server has chosen it; a link chooses the other one.

export const language = document.getElementById("arena-hero")?.dataset.language ?? "ko";
const texts = {};

export async function loadWords() {
  const response = await fetch(new URL(`../${language}.json`, import.meta.url));
  if (!response.ok) throw new Error("words");
  Object.assign(texts, await response.json());
}

export const t = (key, values = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), texts[key] ?? key);

export const pick = (bilingual) => bilingual[language];

export const number = (n) => new Intl.NumberFormat(language === "ko" ? "ko-KR" : "en-GB").format(n);

/** Gradio follows the browser's language; the page's is the reader's choice. */
export function keepLanguage() {
  const set = () => {
    if (document.documentElement.lang !== language) document.documentElement.lang = language;
  };
  set();
  new MutationObserver(set).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
}
