// The organizer's console: asks our own routes for each tab's document and draws what has changed.
// Nothing is decided here.
"use strict";
(() => {
  const BASE = "/organizer/console";
  const LANGUAGE = document.documentElement.dataset.language;
  const t = (ko, en) => (LANGUAGE === "en" ? en : ko);
  const TABS = t({}, { 실시간: "Live", 운영: "Operations", 무결성: "Integrity", 내보내기: "Exports" });
  const WAIT_S = 20,
    RETRY_MS = 2000,
    STEP_MS = 300;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  const feeds = [];

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child != null));
    return node;
  };

  // --- messages -------------------------------------------------------------------------------------------------
  let calm;
  const say = (text, wrong = false) => {
    const box = document.getElementById("console-message");
    if (!box) return;
    clearTimeout(calm);
    box.textContent = text;
    box.classList.toggle("c-wrong", wrong);
    if (text && !wrong) calm = setTimeout(() => say(""), 8000);
  };
  const loggedOut = () => {
    say(t("로그인이 끝났습니다. ", "You are logged out. "), true);
    document
      .getElementById("console-message")
      ?.append(make("a", { href: "/organizer/login", class: "c-link" }, t("다시 로그인", "Log in again")));
  };

  // --- plots ----------------------------------------------------------------------------------------------------
  let library;
  const plotly = () =>
    (library ??= new Promise((loaded, failed) => {
      document.head.append(
        make("script", {
          src: `${BASE}/plotly.js`,
          onload: () => loaded(/** @type {any} */ (window).Plotly),
          onerror: failed,
        }),
      );
    }));
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const themed = (layout) => {
    const axis = { gridcolor: colour("--c-line"), linecolor: colour("--c-line"), tickcolor: colour("--c-line") };
    const own = { ...layout };
    for (const name of Object.keys(own)) if (/^[xy]axis/.test(name)) own[name] = { ...axis, ...own[name] };
    return {
      ...own,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      autosize: true,
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--c-ink") },
      hoverlabel: {
        bgcolor: colour("--c-paper"),
        bordercolor: colour("--c-line"),
        font: { color: colour("--c-ink"), size: 13 },
      },
    };
  };
  // The blue of the palette is too deep for a dark page; its lighter brother keeps a contrast of 3 : 1.
  const seen = (data) => (dark.matches ? JSON.stringify(data).replaceAll("#0072B2", "#4FA3E0") : JSON.stringify(data));
  const draw = async (box, figure) => {
    box.figure = figure;
    const Plotly = await plotly();
    if (!box.isConnected || box.figure !== figure) return;
    await Plotly.react(box, JSON.parse(seen(figure.data)), themed(figure.layout), {
      displayModeBar: false,
      responsive: true,
    });
  };
  dark.addEventListener("change", () => {
    for (const box of /** @type {any} */ (document.querySelectorAll(".c-plot"))) if (box.figure) draw(box, box.figure);
  });

  // --- parts ----------------------------------------------------------------------------------------------------
  const short = (cell) => typeof cell === "string" && cell.length <= 22;
  const written = (cell) =>
    cell == null
      ? "–"
      : typeof cell === "number"
        ? cell.toLocaleString(t("ko-KR", "en-GB"), { maximumFractionDigits: 3 })
        : cell;

  const tiles = (told) =>
    make(
      "dl",
      { class: "c-tiles" },
      ...told.map((tile) =>
        make(
          "div",
          { class: `c-tile ${tile.mood ? `c-${tile.mood}` : ""}` },
          make("dt", {}, tile.label),
          make("dd", {}, tile.value, tile.hint ? make("small", {}, tile.hint) : null),
        ),
      ),
    );

  const actor = (act) =>
    act.href
      ? make("a", { class: "c-button", href: act.href, download: true }, act.label)
      : make(
          "button",
          {
            class: "c-button",
            type: "button",
            "data-key": `${act.act} ${JSON.stringify(act.body)}`,
            onclick: (event) => perform(event.currentTarget, act),
          },
          act.label,
        );

  const table = (section) => {
    const { columns, rows } = section.table;
    const numeric = columns.map((_, n) => rows.every((row) => row[n] == null || typeof row[n] === "number"));
    const acting = section.acts.length > 0;
    const head = columns.map((name, n) => make("th", { scope: "col", class: numeric[n] ? "c-number" : null }, name));
    const body = rows.map((row, r) =>
      make(
        "tr",
        {},
        ...row.map((cell, n) =>
          make(
            "td",
            { class: numeric[n] ? "c-number" : short(cell) ? "c-short" : cell == null ? null : "c-long" },
            written(cell),
          ),
        ),
        acting ? make("td", { class: "c-acts" }, ...section.acts.filter((act) => act.row === r).map(actor)) : null,
      ),
    );
    return make(
      "div",
      {
        class: "c-scroll",
        tabindex: "0",
        role: "region",
        "aria-label": t(`${section.title} 표`, `Table: ${section.title}`),
      },
      make(
        "table",
        {},
        make("thead", {}, make("tr", {}, ...head, acting ? make("th", { scope: "col" }, t("할 일", "Act")) : null)),
        make("tbody", {}, ...body),
      ),
    );
  };

  class Card {
    constructor(document_, section) {
      this.told = "";
      this.says = make("p", { class: "c-says" });
      this.note = make("p", { class: "c-note" });
      this.plot = section.figure ? make("div", { class: "c-plot", role: "img" }) : null;
      this.holder = make("div");
      const csv = make(
        "a",
        {
          class: "c-link",
          href: `${BASE}/${document_}/${section.csv}?lang=${LANGUAGE}`,
          download: true,
          "aria-label": t(`${section.title} CSV 내려받기`, `Download CSV: ${section.title}`),
        },
        t("CSV 내려받기", "Download CSV"),
      );
      this.tools = make("div", { class: "c-tools" }, csv);
      const twin = [this.tools, this.holder];
      const id = `c-${document_}-${section.id}`;
      this.node = make(
        "section",
        { class: `c-card ${section.wide ? "c-wide" : ""}`, id, "aria-labelledby": `${id}-h` },
        make("h2", { id: `${id}-h` }, section.title),
        this.says,
        this.plot,
        this.plot ? make("details", {}, make("summary", {}, t("표로 보기", "As a table")), ...twin) : null,
        this.plot ? null : make("div", {}, this.holder, this.tools),
        this.note,
      );
    }
    show(section) {
      const told = JSON.stringify(section);
      if (told === this.told) return;
      this.told = told;
      this.says.textContent = section.says;
      this.note.textContent = section.note;
      this.note.hidden = !section.note;
      const focused = /** @type {HTMLElement} */ (document.activeElement);
      const key = this.holder.contains(focused) ? focused.dataset.key : null;
      const empty = !section.table.rows.length;
      this.holder.replaceChildren(...(empty ? [] : [table(section)]));
      this.tools.hidden = empty;
      if (key) [...this.holder.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key)?.focus();
      if (this.plot) {
        this.plot.setAttribute(
          "aria-label",
          t(
            `${section.title} 그림. ${section.says} 같은 내용이 표에 있습니다.`,
            `Figure: ${section.title}. ${section.says} The table says the same.`,
          ),
        );
        draw(this.plot, section.figure).catch(() =>
          say(
            t("그림을 그리지 못했습니다. 표를 보세요.", "The figure could not be drawn. Please read the table."),
            true,
          ),
        );
      }
    }
  }

  class Form {
    constructor(told) {
      this.told = told;
      this.list = make("ul");
      this.inputs = {};
      const fields = told.fields.map((field) => {
        const id = `c-form-${told.id}-${field.name}`;
        const input =
          field.type === "select"
            ? make(
                "select",
                { id, required: true },
                ...field.options.map(([value, label]) => make("option", { value }, label)),
              )
            : make("input", { id, required: true, maxlength: "500", autocomplete: "off" });
        this.inputs[field.name] = input;
        return [make("label", { for: id }, field.label), input];
      });
      if (told.confirm) {
        const id = `c-form-${told.id}-confirm`;
        this.inputs.confirm = make("input", {
          id,
          required: true,
          maxlength: "200",
          autocomplete: "off",
          autocapitalize: "none",
          spellcheck: "false",
        });
        fields.push([make("label", { for: id }, told.confirm.label), this.inputs.confirm]);
      }
      this.button = make(
        "button",
        { class: `c-button ${told.danger ? "c-danger" : "c-primary"}`, type: "submit" },
        told.button,
      );
      const id = `c-form-${told.id}`;
      this.node = make(
        "form",
        { class: "c-card c-act", id, "aria-labelledby": `${id}-h`, onsubmit: (event) => this.submit(event) },
        make("h2", { id: `${id}-h` }, told.title),
        this.list,
        ...fields.flat(),
        this.button,
      );
    }
    show(told) {
      this.told = told;
      this.list.replaceChildren(...told.says.map((line) => make("li", {}, line)));
    }
    submit(event) {
      event.preventDefault();
      const body = { ...(this.told.body || {}) };
      for (const [name, input] of Object.entries(this.inputs)) body[name] = input.value.trim();
      send(this.button, this.told.act, body).then((done) => {
        if (done) this.node.reset();
      });
    }
  }

  // --- acts -----------------------------------------------------------------------------------------------------
  const send = async (button, act, body) => {
    button.disabled = true;
    try {
      const answer = await fetch(`${BASE}/acts/${act}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const told = await answer.json().catch(() => ({}));
      if (answer.status === 401) loggedOut();
      else
        say(
          told[LANGUAGE] ||
            t("처리하지 못했습니다. 잠시 뒤 다시 시도해 주세요.", "That did not work. Please try again in a while."),
          !answer.ok,
        );
      if (answer.ok) for (const feed of feeds) feed.again();
      return answer.ok;
    } catch {
      say(
        t(
          "서버에 닿지 못했습니다. 잠시 뒤 다시 시도해 주세요.",
          "The server cannot be reached. Please try again in a while.",
        ),
        true,
      );
      return false;
    } finally {
      button.disabled = false;
    }
  };

  const perform = (button, act) => {
    if (!act.ask) {
      send(button, act.act, act.body);
      return;
    }
    const field = act.field
      ? make("input", { id: "c-ask-field", required: true, maxlength: "500", autocomplete: "off" })
      : null;
    const dialog = make("dialog", { class: "c-ask", "aria-label": act.label });
    const form = make(
      "form",
      { method: "dialog" },
      make("p", {}, act.ask),
      field ? make("label", { for: "c-ask-field" }, t("까닭", "Reason")) : null,
      field,
      make(
        "menu",
        {},
        make(
          "button",
          { class: "c-button", type: "button", onclick: () => dialog.close("no") },
          t("그만두기", "Cancel"),
        ),
        make("button", { class: "c-button c-primary", value: "yes" }, act.label),
      ),
    );
    dialog.append(form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      button.focus();
      if (dialog.returnValue === "yes")
        send(button, act.act, field ? { ...act.body, [act.field]: field.value.trim() } : act.body);
    });
    document.body.append(dialog);
    dialog.showModal();
  };

  // --- documents ------------------------------------------------------------------------------------------------
  class Feed {
    constructor(name, box) {
      this.name = name;
      this.box = box;
      this.tag = null;
      this.cards = {};
      this.forms = {};
      this.tiles = make("div");
      this.acts = make("div", { class: "c-grid c-acts-grid", hidden: true });
      this.grid = make("div", { class: "c-grid" });
      this.wait = make("p", { class: "c-wait" }, t("불러오는 중입니다…", "Loading…"));
      box.append(this.wait, this.tiles, this.acts, this.grid);
      this.run();
    }
    get seen() {
      return !document.hidden && this.box.offsetParent !== null;
    }
    again() {
      this.asking?.abort();
    }
    async run() {
      for (;;) {
        if (!this.seen) {
          await sleep(STEP_MS);
          continue;
        }
        this.asking = new AbortController();
        try {
          const answer = await fetch(`${BASE}/${this.name}?lang=${LANGUAGE}&wait=${this.tag ? WAIT_S : 0}`, {
            headers: this.tag ? { "if-none-match": this.tag } : {},
            cache: "no-store",
            signal: this.asking.signal,
          });
          if (answer.status === 401) {
            loggedOut();
            return;
          }
          if (answer.status === 200) {
            this.show(await answer.json());
            this.tag = answer.headers.get("etag");
          } else if (answer.status !== 304) throw new Error(String(answer.status));
          if (this.lost) {
            this.lost = false;
            say(t("다시 이어졌습니다.", "Connected again."));
          }
        } catch (error) {
          if (error.name === "AbortError") continue;
          this.lost = true;
          say(t("서버와 연결이 끊겼습니다. 다시 잇고 있습니다…", "The connection is lost; picking it up again…"), true);
          await sleep(RETRY_MS);
        }
      }
    }
    show(told) {
      this.wait.remove();
      if (told.tiles.length) this.tiles.replaceChildren(tiles(told.tiles));
      this.keep(this.forms, this.acts, told.forms, (one) => new Form(one));
      this.acts.hidden = !told.forms.length;
      const shape = (section) => section.id + (section.figure ? "+" : "");
      this.keep(
        this.cards,
        this.grid,
        told.sections.map((s) => ({ ...s, key: shape(s) })),
        (one) => new Card(this.name, one),
      );
      if (this.name === "live")
        document.getElementById("console-as-of").textContent = t(
          `${told.as_of} 기준 · 투표가 들어오면 저절로 새로워집니다`,
          `As of ${told.as_of} (KST) · renews itself as votes come in`,
        );
    }
    keep(held, box, wanted, make_) {
      const keys = wanted.map((one) => one.key || one.id);
      for (const key of Object.keys(held))
        if (!keys.includes(key)) {
          held[key].node.remove();
          delete held[key];
        }
      wanted.forEach((one, n) => {
        const { key, ...told } = one;
        held[keys[n]] ??= make_(told);
        const part = held[keys[n]];
        if (box.children[n] !== part.node) box.insertBefore(part.node, box.children[n] || null);
        part.show(told);
      });
    }
  }

  const begin = () => {
    const bar = document.getElementById("console-bar");
    if (bar && !bar.childElementCount) {
      const other = t("en", "ko");
      bar.append(
        make("p", { id: "console-as-of" }, ""),
        make(
          "a",
          { id: "console-language", class: "c-link", href: `?lang=${other}`, lang: other, hreflang: other },
          t("English", "한국어"),
        ),
        make(
          "form",
          { method: "post", action: "/organizer/logout" },
          make("button", { class: "c-button", type: "submit" }, t("로그아웃", "Log out")),
        ),
      );
      bar.parentElement.append(make("p", { id: "console-message", role: "status", "aria-live": "polite" }));
    }
    if (!bar) return;
    // Gradio follows the browser's language; the page's is the reader's choice.
    if (document.documentElement.lang !== LANGUAGE) document.documentElement.lang = LANGUAGE;
    // Every one twice: Gradio measures hidden ones to see how many fit.
    for (const button of document.querySelectorAll("#console-tabs .tab-container button")) {
      const label = TABS[button.textContent.trim()];
      if (label) button.textContent = label;
    }
    const title = document.querySelector(`#console-title .c-${LANGUAGE}`)?.textContent;
    if (title && document.title !== title) document.title = title;
    for (const name of ["live", "trends", "operations", "integrity", "exports"]) {
      const box = document.getElementById(`console-${name}`);
      if (box && !box.childElementCount) feeds.push(new Feed(name, box));
    }
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) for (const feed of feeds) feed.again();
  });
  new MutationObserver(begin).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["lang"],
  });
  begin();
})();
