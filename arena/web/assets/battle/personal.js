// Personal data, noticed while it is typed. A hint only: the server looks for much more,
// before anything is stored or sent.

const RRN = /(?<!\d)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\s?[-–—]?\s?[0-9]\d{6}(?!\d)/;
/** @type {[string, RegExp][]} */
const KINDS = [
  ["phone", /(?<!\d)(01[016789]|02|0[3-6]\d)[-.\s]?\d{3,4}[-.\s]?\d{4}(?!\d)/],
  ["card", /(?<!\d)(\d{4}[-\s]?){3}\d{4}(?!\d)/],
  ["email", /[\w.+-]+@[\w-]+\.[a-z]{2,}/i],
];

/** `{forbidden, kinds}` of a text as it is typed. */
export function personalIn(text) {
  const plain = text.normalize("NFKC");
  return {
    forbidden: RRN.test(plain),
    kinds: KINDS.filter(([, pattern]) => pattern.test(plain)).map(([kind]) => kind),
  };
}
