// What the next notifications are answered: the sandbox's script, and switches for what is wanted most.

import { element, visible } from "./text.js";

/** The words of each switch for a person, and how its script is recognised. */
const SWITCHES = {
  503: { script: () => "503", is: /^503(:times=.*)?$/ },
  403: { script: () => "403", is: /^403(:times=.*)?$/ },
  wait: { script: (ms) => `honest:wait=${ms}`, is: /^honest:wait=\d+(:times=.*)?$/ },
  close: { script: () => "close", is: /^close(:times=.*)?$/ },
};

const LONGEST_COUNT = 1000000000;
const LONGEST_WAIT_MS = 3600000;

/** What the state's script means, in words. */
function words({ script, script_left: left }) {
  if (script.length === 0) return "The sandbox answers honestly.";
  const plain = script.map((answer) => answer.replace(/:times=.*$/, "").replace(/^honest:wait=(\d+)$/, "honest after $1 ms"));
  if (script.length === 1) {
    if (left === null) return `Every answer is ${plain[0]} until switched off.`;
    return left === 1 ? `The next answer is ${plain[0]}, then honest.` : `The next ${left.toLocaleString("en")} answers are ${plain[0]}, then honest.`;
  }
  const end = left === null ? "without end" : `${left.toLocaleString("en")} answers, then honest`;
  return `Scripted: ${script.join(", ")} (${end}).`;
}

export class Switches {
  #buttons;
  #times = document.getElementById("times");
  #forever = document.getElementById("forever");
  #wait = document.getElementById("wait");
  #scripted = document.getElementById("scripted");
  #honest = document.getElementById("honest");
  #ask;

  /** `ask(method, path, body)` asks the sandbox and says so when that fails. */
  constructor(ask) {
    this.#ask = ask;
    this.#buttons = [...document.querySelectorAll("[data-answer]")];
    for (const button of this.#buttons) button.addEventListener("click", () => this.#press(button));
    this.#honest.addEventListener("click", () => {
      this.#put("");
      this.#buttons[0].focus();
    });
    this.#forever.addEventListener("change", () => {
      this.#times.disabled = this.#forever.checked;
    });
  }

  #press(button) {
    if (button.getAttribute("aria-pressed") === "true") {
      this.#put("");
      return;
    }
    const count = this.#number(this.#times, LONGEST_COUNT);
    const ms = this.#number(this.#wait, LONGEST_WAIT_MS);
    const times = this.#forever.checked ? "forever" : count;
    this.#put(`${SWITCHES[button.dataset.answer].script(ms)}:times=${times}`);
  }

  /** The field's number, put right where it is none. */
  #number(field, most) {
    const number = Math.min(Math.max(Math.round(Number(field.value)) || 1, 1), most);
    field.value = number;
    return number;
  }

  #put(script) {
    this.#ask("PUT", "/sandbox/script", script);
  }

  /** Shows what is scripted now, whoever did it. */
  state(state) {
    const on = state.script.length > 0;
    for (const button of this.#buttons) {
      const pressed = state.script.length === 1 && SWITCHES[button.dataset.answer].is.test(state.script[0]);
      button.setAttribute("aria-pressed", pressed);
    }
    this.#scripted.dataset.on = on;
    this.#scripted.replaceChildren(element("bdi", {}, visible(words(state), 300)));
    this.#honest.hidden = !on;
  }
}
