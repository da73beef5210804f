// The arena's HTTP routes. A refusal becomes an exception that speaks the reader's language.
/** @import { AboutYou, Challenge, Listed, Opened, Problem, Seen } from "../../answers.d.ts" */
/** @import { Side, Stage, Thanked, Winner } from "../../answers.d.ts" */
import { language, t } from "./words.js";

const API = "/api/v1";

export class Refused extends Error {
  /** @param {Partial<Problem>} problem nothing of it where no connection was */
  constructor(problem) {
    super(problem[language] ?? problem.detail ?? t("offline"));
    this.code = problem.code ?? "offline";
  }
}

/**
 * What was caught, with something to say to the reader.
 * @param {unknown} caught
 */
export const refusal = (caught) =>
  caught instanceof Refused ? caught : new Refused({ code: "fault", detail: String(caught) });

/**
 * @param {string} path
 * @param {{ method?: string, body?: string, headers?: Record<string, string> }} [options]
 */
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

/**
 * @param {string} path
 * @param {object} [body]
 */
export const post = (path, body = {}) => call(path, { method: "POST", body: JSON.stringify(body) });

/** @returns {Promise<Stage>} */
export const getStage = async () => (await call("/stage")).json();

/**
 * The work that is due before this act; null where none is.
 * @param {"session" | "battle"} act
 * @returns {Promise<Challenge | null>}
 */
export async function getChallenge(act) {
  const response = await call(`/challenge?act=${act}`);
  return response.status === 204 ? null : response.json();
}

/**
 * Agrees for the first time.
 * @param {{ consents: string[], age_ok: boolean, invitation?: string, proof?: string }} asked
 */
export const openSession = (asked) => post("/session", asked);

/** Agrees anew, as the citizen that this browser has been. @param {string[]} consents */
export const changeConsents = (consents) => call("/session", { method: "PUT", body: JSON.stringify({ consents }) });

/** @returns {Promise<AboutYou>} */
export const getAboutYou = async () => (await call("/about-you")).json();

/** @param {Record<string, string>} answers */
export const tellAboutYou = (answers) => call("/about-you", { method: "PUT", body: JSON.stringify({ answers }) });

/**
 * @param {string | null} topic what the first question is about, where the citizen says so
 * @param {string} [proof] of the work that is due
 * @returns {Promise<Opened>}
 */
export const openBattle = async (topic, proof) => (await post("/battles", { topic, proof })).json();

/** This citizen's battles, the newest first. @returns {Promise<Listed[]>} */
export const getBattles = async () => (await call("/battles")).json();

/**
 * The battle as its owner may see it.
 * @param {string} id
 * @returns {Promise<Seen>}
 */
export const getBattle = async (id) => (await call(`/battles/${id}`)).json();

/**
 * Asks both sides; the answer is the turn's stream.
 * @param {string} id
 * @param {string} prompt
 */
export const askBoth = (id, prompt) => post(`/battles/${id}/turns`, { prompt });

/**
 * Picks a turn's stream up again after the event with the id `last`.
 * @param {string} id
 * @param {number} turn
 * @param {number} last
 */
export const resumeTurn = (id, turn, last) =>
  call(`/battles/${id}/turns/${turn}/stream`, { headers: { "last-event-id": String(last) } });

/** @param {string} id */
export const stopTurn = (id) => post(`/battles/${id}/stop`);

/**
 * @typedef {{ winner: Winner, reasons: Record<Side, string[]>, comment: string, turns?: number }} Ballot
 *
 * @param {string} id
 * @param {Ballot} ballot
 * @returns {Promise<Thanked>}
 */
export const castVote = async (id, ballot) => (await post(`/battles/${id}/vote`, ballot)).json();
