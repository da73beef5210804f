// The page that a module of ours finds when it runs in node: one language, and answers that a test decides.

export const asked = [];

/** Stands in for the server: `answer(path, options)` gives a Response. */
export function serve(answer) {
  asked.length = 0;
  globalThis.fetch = async (address, options = {}) => {
    asked.push({ path: String(address), ...options });
    return answer(String(address), options);
  };
}

globalThis.document = { querySelector: () => null };
globalThis.addEventListener ??= () => {};
globalThis.removeEventListener ??= () => {};
