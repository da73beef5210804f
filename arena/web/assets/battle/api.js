// The arena's HTTP routes. A refusal becomes an exception that speaks the reader's language.
import { language, t } from "./words.js";

const API = "/api/v1";

export class Refused extends Error {
  constructor(problem) {
    super(problem[language] ?? problem.detail ?? t("offline"));
    this.code = problem.code ?? "offline";
  }
}

export async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(API + path, {
      credentials: "same-origin",
      ...options,
      headers: {
        "accept-language": language,
        ...(options.body ? { "content-type": "application/json" } : {}),
        ...options.headers,
      },
    });
  } catch {
    throw new Refused({ code: "offline" });
  }
  if (response.ok) return response;
  throw new Refused(await response.json().catch(() => ({})));
}

export const post = (path, body = {}) => call(path, { method: "POST", body: JSON.stringify(body) });
export const json = async (promise) => (await promise).json();
