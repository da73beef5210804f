// Personal data, noticed while it is typed. A hint only: the server looks for much more,
// before anything is stored or sent.

const RRN = /(?<!\d)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\s?[-–—]?\s?[0-9]\d{6}(?!\d)/;
/** @type {[string, RegExp][]} */
const KINDS = [
  ["phone", /(?<!\d)(01[016789]|02|0[3-6]\d)[-.\s]?\d{3,4}[-.\s]?\d{4}(?!\d)/],
  ["card", /(?<!\d)(\d{4}[-\s]?){3}\d{4}(?!\d)/],
  // Addresses that are reserved for examples are nobody's.
  [
    "email",
    /[\w.+-]+@(?!(?:[\w-]+\.)*(?:example\.(?:com|net|org|kr)|test|invalid|localhost)(?![\w.-]))[\w-]+\.[a-z]{2,}/i,
  ],
];

/**
 * What a text holds as it is typed: something that may not be sent at all, and kinds of what is better left out.
 * @param {string} text
 */
export function personalIn(text) {
  const plain = text.normalize("NFKC");
  return {
    forbidden: RRN.test(plain),
    kinds: KINDS.filter(([, pattern]) => pattern.test(plain)).map(([kind]) => kind),
  };
}
