// Small helpers for building the page.

/**
 * What was found, of the kind that the code expects: markup and code are written together, so anything else is a fault.
 * @template {Element} Kind
 * @param {Element | null} found
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function sure(found, kind) {
  if (found instanceof kind) return found;
  throw new TypeError(`the page holds ${found?.nodeName ?? "nothing"} where a ${kind.name} is expected`);
}

/** @param {string} id */
export const byId = (id) => sure(document.getElementById(id), HTMLElement);
/** @param {string} id */
export const buttonById = (id) => sure(document.getElementById(id), HTMLButtonElement);

/**
 * @typedef {Record<string, (event: Event) => unknown>} Listeners
 * @typedef {Record<string, string | boolean | null | Listeners>} Attributes
 */

/**
 * An element; `on` holds listeners, `true` is a bare attribute, `false` and `null` are none.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {(Node | string | null)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (typeof value === "string") node.setAttribute(name, value);
    else if (value) for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/**
 * Storage that may be forbidden: then nothing is remembered, and nothing breaks.
 * @typedef {"localStorage" | "sessionStorage"} Store
 */
export const kept = {
  /**
   * @param {Store} store
   * @param {string} name
   */
  get(store, name) {
    try {
      return window[store].getItem(name);
    } catch {
      return null;
    }
  },
  /**
   * @param {Store} store
   * @param {string} name
   * @param {string | null} value `null` forgets
   */
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
/**
 * Says something once to a screen reader; the same words twice are said twice.
 * @param {string} text
 */
export function announce(text) {
  const said = text.trim();
  last = said === last ? `${said}\u00a0` : said;
  byId("arena-announce").textContent = last;
}

/** @param {string} text */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
