// An act with what will happen spelled out, and a word to be typed where there is no way back.
/** @import { ConsoleForm, Field } from "../../answers.d.ts" */
import { el } from "../battle/dom.js";
import { send } from "./acts.js";

/**
 * @param {string} id
 * @param {Field} field
 */
const inputOf = (id, field) =>
  field.type === "select"
    ? el("select", { id, required: true }, ...field.options.map(([value, label]) => el("option", { value }, label)))
    : el("input", { id, required: !field.optional, maxlength: "500", autocomplete: "off" });

export class Form {
  /** @param {ConsoleForm} told */
  constructor(told) {
    this.told = told;
    this.list = el("ul");
    /** @type {Record<string, HTMLInputElement | HTMLSelectElement>} */
    this.inputs = {};
    const id = `c-form-${told.id}`;
    const fields = told.fields.flatMap((field) => {
      const input = inputOf(`${id}-${field.name}`, field);
      this.inputs[field.name] = input;
      return [el("label", { for: input.id }, field.label), input];
    });
    if (told.confirm) {
      const input = el("input", {
        id: `${id}-confirm`,
        required: true,
        maxlength: "200",
        autocomplete: "off",
        autocapitalize: "none",
        spellcheck: "false",
      });
      this.inputs.confirm = input;
      fields.push(el("label", { for: input.id }, told.confirm.label), input);
    }
    this.button = el(
      "button",
      { class: `c-button ${told.danger ? "c-danger" : "c-primary"}`, type: "submit" },
      told.button,
    );
    this.node = el(
      "form",
      {
        class: "c-card c-act",
        id,
        "aria-labelledby": `${id}-h`,
        on: {
          submit: (event) => {
            event.preventDefault();
            this.submit();
          },
        },
      },
      el("h2", { id: `${id}-h` }, told.title),
      this.list,
      ...fields,
      this.button,
    );
  }

  /** @param {ConsoleForm} told */
  show(told) {
    this.told = told;
    this.list.replaceChildren(...told.says.map((line) => el("li", {}, line)));
  }

  async submit() {
    const typed = Object.fromEntries(Object.entries(this.inputs).map(([name, input]) => [name, input.value.trim()]));
    if (await send(this.button, this.told.act, { ...this.told.body, ...typed })) this.node.reset();
  }
}
