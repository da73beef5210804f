// Small helpers for building the page.

/** @returns {any} an element of this page; the markup and the code are written together */
export const byId = (id) => document.getElementById(id);

/** An element; `on` holds listeners, `true` is a bare attribute, `false` and `null` are none. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Storage that may be forbidden: then nothing is remembered, and nothing breaks. */
export const kept = {
  /** @param {"localStorage" | "sessionStorage"} store */
  get(store, name) {
    try {
      return window[store].getItem(name);
    } catch {
      return null;
    }
  },
  /** @param {"localStorage" | "sessionStorage"} store */
  set(store, name, value) {
    try {
      if (value === null) window[store].removeItem(name);
      else window[store].setItem(name, value);
    } catch {
      // a browser without storage forgets
    }
  },
};

let last = "";
/** Says something once to a screen reader; the same words twice are said twice. */
export function announce(text) {
  const place = byId("arena-announce");
  const said = text.trim();
  place.textContent = said === last ? `${said}\u00a0` : said;
  last = place.textContent;
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
