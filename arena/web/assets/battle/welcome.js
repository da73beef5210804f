// The first visit: what this is, what happens to what is typed, and what is agreed to. Nothing is ticked beforehand.
import { changeConsents, getStage, openSession, refusal } from "./api.js";
import { el } from "./dom.js";
import { stage } from "./state.js";
import { pick, t } from "./words.js";
import { prepareWork, withWork } from "./work.js";

/** @import { Consent } from "../../answers.d.ts" */

const STRATA_CONSENT = "strata";

/**
 * @typedef {object} Asked
 * @property {string} id
 * @property {boolean} required
 * @property {string} title
 * @property {string} [short] what an error calls it
 * @property {string} [text]
 * @property {Consent["details"]} [details]
 */

/**
 * One box with a short name, what it stands for below it, and all that the law wants said, folded.
 * @param {Asked} asked
 */
function consentRow({ id, required, title, short = title, text = "", details = [] }) {
  const described = text ? `consent-${id}-text` : null;
  const input = el("input", {
    type: "checkbox",
    id: `consent-${id}`,
    "aria-required": String(required),
    "aria-describedby": described,
  });
  const told = details.flatMap(({ term, text }) => [el("dt", {}, pick(term)), el("dd", {}, pick(text))]);
  const row = el(
    "div",
    { class: "arena-consent" },
    el(
      "label",
      { for: `consent-${id}` },
      input,
      el("b", { class: required ? "arena-required" : "arena-optional" }, t(required ? "required" : "optional")),
      el("span", {}, title),
    ),
    described ? el("p", { id: described }, text) : null,
    told.length
      ? el(
          "details",
          {},
          el("summary", {}, el("span", { class: "arena-hidden" }, `${title} `), t("consent_details")),
          el("dl", {}, ...told),
        )
      : null,
  );
  return { id, required, input, row, short };
}

/** @typedef {ReturnType<typeof consentRow>} Row */

/**
 * The required boxes, how many of them are ticked, and a button that ticks them all: them and no other.
 * @param {Row[]} rows
 */
function requiredPart(rows) {
  const progress = el("p", { class: "arena-progress", role: "status" });
  const count = () => {
    const n = rows.filter(({ input }) => input.checked).length;
    progress.textContent = t("required_progress", { n, all: rows.length });
  };
  const all = el(
    "button",
    {
      type: "button",
      class: "arena-button",
      id: "arena-agree-required",
      on: {
        click: () => {
          for (const { input } of rows) input.checked = true;
          count();
        },
      },
    },
    t("agree_required"),
  );
  count();
  return el(
    "fieldset",
    { class: "arena-consents", on: { change: count } },
    el("legend", { class: "arena-hidden" }, t("consents_required")),
    el("div", { class: "arena-consents-bar" }, progress, all),
    ...rows.map(({ row }) => row),
  );
}

/**
 * The others, folded: nobody has to read them to take part.
 * @param {Row[]} rows
 */
function optionalPart(rows) {
  return el(
    "details",
    { class: "arena-consents arena-consents-optional" },
    el("summary", {}, t("consents_optional", { n: rows.length })),
    el(
      "fieldset",
      { class: "arena-consents" },
      el("legend", { class: "arena-hidden" }, t("consents_optional", { n: rows.length })),
      ...rows.map(({ row }) => row),
    ),
  );
}

/** Where a panel's member types the code of their invitation. */
function invitationPart() {
  const input = el("input", {
    type: "text",
    id: "arena-invitation",
    autocomplete: "off",
    autocapitalize: "characters",
    spellcheck: "false",
    maxlength: "64",
    "aria-required": "true",
    "aria-describedby": "arena-invitation-hint",
  });
  const row = el(
    "div",
    { class: "arena-invitation" },
    el("label", { for: "arena-invitation" }, t("invitation")),
    input,
    el("p", { id: "arena-invitation-hint" }, t("invitation_hint")),
  );
  return { input, row };
}

/** Why nobody is logged in, where the login has just led back without anybody. */
function loginFailed() {
  const why = new URLSearchParams(location.search).get("login");
  if (why === "withdrawn") return t("login_withdrawn");
  return why === "failed" ? t("login_failed") : "";
}

/**
 * @param {string[]} consents
 * @param {string | undefined} invitation
 * @param {HTMLElement} said where it is told that this takes a while
 */
async function agreeTo(consents, invitation, said) {
  // Asked again: meanwhile somebody may have agreed in another tab, and a first agreement always makes somebody new.
  const { session } = await getStage();
  if (session?.consents.length) {
    await changeConsents(consents);
    return;
  }
  const slow = () => (said.textContent = t("proving"));
  await withWork("session", (proof) => openSession({ consents, age_ok: true, invitation, proof }), slow);
}

/**
 * Opens the dialog; resolves when the session is there.
 * @param {{ lead?: string }} [why] said above everything else
 * @returns {Promise<void>}
 */
export function welcome({ lead } = {}) {
  if (document.querySelector("dialog.arena-dialog")) return Promise.resolve();
  return new Promise((resolve) => {
    const { consents, min_age: age_asked, notices, population, session } = stage();
    const invited = population === "panel" && !session?.consents.length ? invitationPart() : null;
    const rows = consents.map(({ id, required, title, text, details }) =>
      consentRow({ id, required, title: pick(title), text: pick(text), details }),
    );
    const age = consentRow({ id: "age", required: true, title: t("age", { age: age_asked }), short: t("must_age") });
    const required = [age, ...rows.filter((row) => row.required)];
    const optional = rows.filter((row) => !row.required);
    const error = el("p", { role: "alert", class: "arena-alert", id: "arena-welcome-error" });
    const button = el("button", { type: "submit", class: "arena-primary", id: "arena-agree" }, t("agree"));
    const title = el("h2", { id: "arena-welcome", tabindex: "-1" }, t("welcome"));
    /** @param {Event} event */
    const submit = async (event) => {
      event.preventDefault();
      const missing = required.filter(({ input }) => !input.checked);
      for (const { input } of required) input.removeAttribute("aria-invalid");
      if (missing.length) {
        error.textContent = t("must", { missing: missing.map(({ short }) => short).join(", ") });
        for (const { input } of missing) input.setAttribute("aria-invalid", "true");
        missing[0].input.focus();
        return;
      }
      button.disabled = true;
      error.textContent = "";
      try {
        const given = rows.filter(({ input }) => input.checked).map(({ id }) => id);
        await agreeTo(given, invited?.input.value, error);
        if (given.includes(STRATA_CONSENT)) await (await import("./later/about.js")).aboutYou(dialog);
        dialog.remove();
        resolve();
      } catch (caught) {
        const refused = refusal(caught);
        error.textContent = refused.message;
        if (refused.code === "login_needed")
          error.append(" ", el("a", { class: "arena-button", href: "/login" }, t("login")));
      } finally {
        button.disabled = false;
      }
    };
    const dialog = el(
      "dialog",
      { class: "arena-dialog", "aria-labelledby": "arena-welcome" },
      el(
        "form",
        { novalidate: true, on: { submit } },
        title,
        lead ? el("p", { class: "arena-warning" }, lead) : null,
        loginFailed() ? el("p", { class: "arena-warning", role: "alert" }, loginFailed()) : null,
        el("p", {}, t("welcome_lead")),
        el(
          "p",
          { class: "arena-notice" },
          pick(notices.ai),
          " ",
          t("welcome_personal"),
          " ",
          el("a", { href: "/privacy", target: "_blank", rel: "noopener", title: t("new_window") }, t("welcome_more")),
        ),
        requiredPart(required),
        optional.length ? optionalPart(optional) : null,
        invited?.row ?? null,
        el("div", { class: "arena-agree" }, error, button),
      ),
    );
    // Escape would leave a page on which nothing can be done; at the second one a browser closes whatever it is told.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => dialog.isConnected && dialog.showModal());
    document.body.append(dialog);
    dialog.showModal();
    title.focus();
    prepareWork("session");
  });
}
