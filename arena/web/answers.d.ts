// What the server answers, as the scripts in assets/ know it. Nothing of this is served; a test
// (tests/web/test_answer_types.py) has the compiler hold it to what is really answered.

export type Language = "ko" | "en";
export type Side = "a" | "b";
export type Winner = "model_a" | "model_b" | "tie" | "both_bad";
export type StageStatus = "draft" | "open" | "frozen" | "published";
/** As citizens live it: `paused` while no battle is drawn, `frozen` from the window's end on. */
export type StageState = "draft" | "open" | "paused" | "frozen" | "published";
export type BattleState = "open" | "answering" | "voted" | "revealed" | "void" | "abandoned";
export type AnswerStatus = "complete" | "truncated" | "stopped" | "failed";

/** The same in Korean and English. */
export interface Words {
  ko: string;
  en: string;
}

/** A refusal (RFC 9457), in both languages. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  ko: string;
  en: string;
}

// --- GET /api/v1/stage -----------------------------------------------------------------------------------------------

export interface Stage {
  id: string;
  title: Words;
  programme: string;
  operator: Operator;
  round: number;
  status: StageStatus;
  state: StageState;
  votes: number;
  planned_votes: number | null;
  opens: string | null;
  closes: string | null;
  synthetic: boolean;
  draws: { commitment: string; beacon: string | null; seed: string | null } | null;
  notices: { ai: Words };
  consents: Consent[];
  min_age: number;
  limits: { turns: number; prompt_chars: number; comment_chars: number };
  privacy: "mask" | "ask";
  starters: Starters[];
  reasons: Reason[];
  reveal: "after_vote" | "after_stage" | "never";
  population: "open" | "panel" | "professional";
  identity: "anonymous" | "oidc";
  public_leaderboard: boolean;
  session: { valid: boolean; consents: string[] } | null;
}

/** Who runs the stage; what a synthetic one leaves out is null. */
export interface Operator {
  name: Words;
  official: boolean;
  copyright: Words | null;
  institution: Words | null;
  address: Words | null;
  telephone: string | null;
  mail: string | null;
  privacy_officer: Desk | null;
  access_desk: Desk | null;
  policy: (PolicyVersion & { history: PolicyVersion[] }) | null;
  recipients: { name: Words; purpose: Words; items: Words; retention: Words }[] | null;
  processors: { name: Words; task: Words }[] | null;
  transfers: Transfer[] | null;
}

export interface Desk {
  department: Words;
  name: Words | null;
  telephone: string;
  mail: string;
}

export interface PolicyVersion {
  version: string;
  effective: string;
}

export interface Transfer {
  recipient: Words;
  country: Words;
  items: Words;
  purpose: Words;
  method: Words;
  retention: Words;
  refusal: Words;
}

export interface Consent {
  id: string;
  version: number;
  required: boolean;
  title: Words;
  text: Words;
  details: { term: Words; text: Words }[];
}

export interface Starters {
  /** Names the topic for `POST /battles`; null: nobody may. */
  id: string | null;
  topic: Words;
  /** The one day whose theme this is. */
  day: string | null;
  prompts: Words[];
}

export interface Reason {
  id: string;
  kind: "praise" | "fault";
  text: Words;
}

// --- a citizen's session ---------------------------------------------------------------------------------------------

/** A proof of work to solve (ALTCHA, version 2). */
export interface Challenge {
  parameters: ChallengeParameters;
  signature: string;
}

export interface ChallengeParameters {
  algorithm: string;
  nonce: string;
  salt: string;
  cost: number;
  keyLength: number;
  keyPrefix: string;
  keySignature: string;
  expiresAt: number;
  /** For whom it is made, and how many tries it takes on average. */
  data: { for: string; tries: number };
}

export interface AboutYou {
  strata: Stratum[];
  answers: Record<string, string>;
}

export interface Stratum {
  id: string;
  title: Words;
  categories: Category[];
}

export interface Category {
  id: string;
  title: Words;
}

// --- a battle --------------------------------------------------------------------------------------------------------

export interface Opened {
  battle_id: string;
  /** It is an earlier one of this citizen's shown again, with its answers. */
  repeat: boolean;
}

/** One of a citizen's battles, in the list of them. */
export interface Listed {
  battle_id: string;
  state: BattleState;
  votable: boolean;
  opened_at: string;
  turns: number;
  prompt_start: string | null;
  winner: Winner | null;
  receipt: string | null;
  reveal: Authors | null;
}

/** The owner's view of a battle. */
export interface Seen {
  battle_id: string;
  state: BattleState;
  votable: boolean;
  repeat: boolean;
  opened_at: string;
  turns: Asked[];
  turns_left: number;
  vote: OwnVote | null;
  reveal: Authors | null;
}

/** One's own vote, with all that proves it. */
export interface OwnVote {
  winner: Winner;
  receipt: string;
  /** The canonical text that was sealed. */
  record: string;
  /** A compact JWS. */
  promise: string;
}

/** One turn; a side that has not answered yet is not there. */
export interface Asked {
  n: number;
  prompt: string;
  answers: Partial<Record<Side, Said>>;
}

export interface Said {
  status: AnswerStatus;
  text: string;
  html: string;
  reasoning: string | null;
}

export interface Authors {
  a: Author;
  b: Author;
}

export interface Author {
  id: string;
  team: Words;
  card: { organisation: Words; size: string; openness: Words } | null;
}

/** A vote that is durable. */
export interface Thanked {
  receipt: string;
  record: string;
  promise: string;
  reveal: Authors | null;
}

/** The events of a turn, in the order of their ids. Every delta is followed by both answers, and those by the end. */
export type TurnEvent =
  | [name: "turn", data: Begun]
  | [name: "delta", data: Partial<Record<Side, Delta>>]
  | [name: "answer", data: Ended]
  | [name: "done", data: Done]
  | [name: "error", data: Broken];

/** The question as it was kept: without the personal data that was in it. */
export interface Begun {
  turn: number;
  prompt: string;
  masked: boolean;
}

/**
 * New text of an answer, and how the page of it changes: `html`, if there is any, stays for good, and a new open block
 * begins behind it. What is shown of the open block is the first `keep` characters of what was shown of it before, and
 * `tail`.
 */
export interface Delta {
  text: string;
  html?: string;
  keep: number;
  tail: string;
}

export interface Ended {
  side: Side;
  status: AnswerStatus;
  reasoning?: string;
}

export interface Done {
  turn: number;
  votable: boolean;
  void: boolean;
}

export interface Broken {
  code: string;
  message: Words;
}

// --- the ledger ------------------------------------------------------------------------------------------------------

/** The proof that a vote is a leaf under a checkpoint (RFC 9162). */
export interface Included {
  receipt: string;
  status: "included";
  leaf_index: number;
  inclusion_path: string[];
  checkpoint: TreeHead;
}

/** A vote that waits for the next checkpoint. */
export interface Pending {
  receipt: string;
  status: "pending";
  signed_every_s: number;
}

/** A signed checkpoint; `jws` is detached, over the canonical JSON of everything else (RFC 7515, RFC 8785). */
export interface TreeHead {
  schema: "kai.checkpoint/2";
  stage: string;
  size: number;
  root: string;
  opening: string;
  at: string;
  jws: string;
}

/** A public key of the arena (RFC 7517). */
export interface PublicKey {
  kty: "EC";
  crv: "P-256";
  x: string;
  y: string;
  kid: string;
  use: "sig";
  alg: "ES256";
}

// --- the organizers' console -----------------------------------------------------------------------------------------

export interface ConsoleDocument {
  as_of: string;
  tiles: Tile[];
  sections: Section[];
  forms: ConsoleForm[];
}

export interface Tile {
  label: string;
  value: string;
  hint: string;
  mood: "" | "good" | "warn" | "bad";
}

/** One question and its answer. */
export interface Section {
  id: string;
  title: string;
  says: string;
  table: Table;
  figure: Figure | null;
  note: string;
  wide: boolean;
  acts: Act[];
  csv: string;
}

export type Cell = string | number | null;

export interface Table {
  columns: string[];
  rows: Cell[][];
}

/** A plotly figure. */
export interface Figure {
  data: object[];
  layout: Record<string, unknown>;
}

/** A button beside a row: a link, or an act that may be asked about first, and may ask for a reason in turn. */
export type Act = { row: number; label: string } & (
  | { href: string }
  | { href?: undefined; act: string; body: ActBody; ask?: string; field?: string }
);
export type ActBody = Record<string, string | number>;

export interface ConsoleForm {
  id: string;
  title: string;
  says: string[];
  fields: Field[];
  act: string;
  button: string;
  body?: ActBody;
  danger?: boolean;
  confirm?: { label: string };
}

export type Field = { name: string; label: string } & (
  | { type: "text"; optional?: boolean }
  | { type: "select"; options: [value: string, label: string][] }
);

declare global {
  interface Window {
    /** The plotting library, once the console has asked for it. */
    Plotly?: {
      react(box: HTMLElement, data: object[], layout: object, config: object): Promise<unknown>;
    };
  }
}
