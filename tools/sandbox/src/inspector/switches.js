// The answers to the next notifications: shows the sandbox's script, and has switches for the most common answers.

import { element, visible } from "./text.js";

/** The script of each switch, without the number of notifications. */
const SWITCHES = {
  400: () => "400",
  403: () => "403",
  429: ({ retryAfter }) => `429:retry-after=${retryAfter}`,
  503: () => "503",
  wait: ({ wait }) => `normal:wait=${wait}`,
  close: () => "close",
};

/** The end of a scripted answer: the percentage and the number of notifications. */
const END = /(?::percent=(\d+))?(?::times=(?:\d+|forever))?$/;

const WITH_ARTICLE = { close: "a closed connection" };
const PLURAL = { close: "closed connections" };

/** The percentage, the plain form and the name of a scripted answer. */
function parts(answer) {
  const end = END.exec(answer);
  const plain = answer.slice(0, end.index);
  const name = plain.replace(/^normal:wait=(\d+)$/, "delayed by $1 ms").replace(/^(\d+):retry-after=(\d+)$/, "$1 with Retry-After: $2");
  return { percent: end[1], plain, name };
}

/** The meaning of the state's script, as a sentence. */
function description({ script, script_left: left }) {
  if (script.length === 0) return "The sandbox answers normally.";
  const count = left?.toLocaleString("en");
  if (script.length > 1) {
    const end = left === null ? "without end" : `${count} answers, then normal ones`;
    return `Scripted: ${script.join(", ")} (${end}).`;
  }
  const { percent, name } = parts(script[0]);
  const one = WITH_ARTICLE[name] ?? name;
  const many = PLURAL[name] ?? name;
  if (left === null) {
    return percent === undefined ? `Every answer is ${one} until switched off.` : `${percent} % of all answers are ${many} until switched off.`;
  }
  if (left === 1) {
    const chance = percent === undefined ? "" : `, with a chance of ${percent} %`;
    return `The next answer is ${one}${chance}. Then answers are normal.`;
  }
  const which = percent === undefined ? "The" : `${percent} % of the`;
  return `${which} next ${count} answers are ${many}. Then answers are normal.`;
}

/** The name of the switch that sets this script, if there is one. */
function switchOf(script) {
  if (script.length !== 1) return undefined;
  const { plain } = parts(script[0]);
  const [, wait] = /^normal:wait=(\d+)$/.exec(plain) ?? [];
  const [, retryAfter] = /^429:retry-after=(\d+)$/.exec(plain) ?? [];
  return Object.keys(SWITCHES).find((name) => SWITCHES[name]({ wait, retryAfter }) === plain);
}

export class Switches {
  #buttons;
  #fields = Object.fromEntries(["times", "percent", "wait", "retry-after"].map((id) => [id, document.getElementById(id)]));
  #forever = document.getElementById("forever");
  #scripted = document.getElementById("scripted");
  #normal = document.getElementById("normal");
  #ask;

  /** `ask(method, path, body)` sends a request to the sandbox and shows a notice if it fails. */
  constructor(ask) {
    this.#ask = ask;
    this.#buttons = [...document.querySelectorAll("[data-answer]")];
    for (const button of this.#buttons) button.addEventListener("click", () => this.#press(button));
    this.#normal.addEventListener("click", () => {
      this.#put("");
      this.#buttons[0].focus();
    });
    this.#forever.addEventListener("change", () => {
      this.#fields.times.disabled = this.#forever.checked;
    });
    // A tooltip covers the elements below it. A click, typing or Escape hides it until the pointer or the focus leaves.
    for (const tipped of document.querySelectorAll(".tipped")) {
      const dismiss = (is) => tipped.classList.toggle("dismissed", is);
      for (const name of ["click", "input"]) tipped.addEventListener(name, () => dismiss(true));
      tipped.addEventListener("keydown", (event) => event.key === "Escape" && dismiss(true));
      tipped.addEventListener("pointerleave", () => dismiss(false));
      tipped.addEventListener("focusout", () => dismiss(false));
    }
  }

  #press(button) {
    if (button.getAttribute("aria-pressed") === "true") {
      this.#put("");
      return;
    }
    const times = this.#number("times");
    const percent = this.#number("percent");
    const answer = SWITCHES[button.dataset.answer]({ wait: this.#number("wait"), retryAfter: this.#number("retry-after") });
    const share = percent === 100 ? "" : `:percent=${percent}`;
    this.#put(`${answer}${share}:times=${this.#forever.checked ? "forever" : times}`);
  }

  /** The field's number, corrected if it is not a number or is outside the field's range. */
  #number(id) {
    const field = this.#fields[id];
    const number = Math.min(Math.max(Math.round(Number(field.value)) || 1, Number(field.min)), Number(field.max));
    field.value = number;
    return number;
  }

  #put(script) {
    this.#ask("PUT", "/sandbox/script", script);
  }

  /** Shows the current script, whether this page or another client set it. */
  state(state) {
    const on = state.script.length > 0;
    const pressed = switchOf(state.script);
    for (const button of this.#buttons) button.setAttribute("aria-pressed", button.dataset.answer === pressed);
    const text = visible(description(state), 300);
    this.#scripted.dataset.on = on;
    this.#scripted.title = text;
    this.#scripted.replaceChildren(element("bdi", {}, text));
    this.#normal.dataset.on = on;
  }
}
