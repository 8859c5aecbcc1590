// The lines of an order. Numbers are decimal text, never floating point, so they are shown as they were sent.

import { element, line as short, visible } from "./text.js";

/** Greatest number of lines that are shown. The body has all of them. */
const SHOWN_LINES = 100;
/** Longest number, in characters, that is used in a calculation. */
const LONGEST_NUMBER = 60;

const PRICE_OF_ONE = "Sum: quantity times price. The vendor's documents do not define the price; it seems to be the price of one item.";

/** Parses a number as `{ digits, scale }`, meaning digits / 10 ** scale. Null if the text is not a number. */
function decimal(text) {
  const parts = /^(-?\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,2}))?$/.exec(text ?? "");
  if (parts === null || text.length > LONGEST_NUMBER) return null;
  const [, whole, fraction = "", exponent = "0"] = parts;
  const scale = fraction.length - Number(exponent);
  const digits = BigInt(whole + fraction);
  return scale < 0 ? { digits: digits * 10n ** BigInt(-scale), scale: 0 } : { digits, scale };
}

function decimalText({ digits, scale }) {
  const sign = digits < 0n ? "-" : "";
  const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, "0");
  const point = text.length - scale;
  return sign + text.slice(0, point) + (scale > 0 ? `.${text.slice(point)}` : "");
}

function product(a, b) {
  return a === null || b === null ? null : { digits: a.digits * b.digits, scale: a.scale + b.scale };
}

function plus(a, b) {
  if (a === null || b === null) return null;
  const scale = Math.max(a.scale, b.scale);
  const scaled = (one) => one.digits * 10n ** BigInt(scale - one.scale);
  return { digits: scaled(a) + scaled(b), scale };
}

const sum = ({ quantity, sellingPrice }) => product(decimal(quantity), decimal(sellingPrice));

/** The sum of all lines as text; "" if a line has no valid sum. */
export function total(lines) {
  const all = lines.map(sum).reduce(plus, { digits: 0n, scale: 0 });
  return all === null ? "" : decimalText(all);
}

/** A summary of the order, in one line. */
export function orderSummary(lines) {
  const count = `${lines.length.toLocaleString("en")} ${lines.length === 1 ? "line" : "lines"}`;
  const all = total(lines);
  const keys = lines.slice(0, 20).map(({ productKey, variantKey }) => short(productKey ?? variantKey ?? "?"));
  return `${count}${all === "" ? "" : `, ${all}`}: ${keys.join("  ")}`;
}

/** The lines as a table. */
export function orderTable(lines) {
  const hasCost = lines.some((line) => line.cost !== undefined);
  const columns = ["Product", "Variant", "Quantity", "Price", ...(hasCost ? ["Cost"] : []), "Sum"];
  const isNumber = (at) => at >= 2;
  const cell = (text, at) => element("td", { class: isNumber(at) ? "number" : "mono" }, element("bdi", {}, visible(text, 160)));
  const rows = lines.slice(0, SHOWN_LINES).map((line) => {
    const own = sum(line);
    const texts = [line.productKey, line.variantKey, line.quantity, line.sellingPrice, ...(hasCost ? [line.cost] : [])];
    const cells = [...texts.map((text) => text ?? ""), own === null ? "" : decimalText(own)];
    return element("tr", {}, ...cells.map(cell));
  });
  const head = columns.map((name, at) => element("th", { scope: "col", class: isNumber(at) ? "number" : "" }, name));
  const table = element("table", { class: "order" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
  const all = total(lines);
  if (all !== "") {
    const name = element("th", { scope: "row", colspan: columns.length - 1 }, "Total");
    table.append(element("tfoot", {}, element("tr", {}, name, element("td", { class: "number" }, all))));
  }
  const scroller = element("div", { class: "sideways", tabindex: "0", role: "group", "aria-label": "Lines of the order" }, table);
  const more = lines.length - SHOWN_LINES;
  const rest = more > 0 ? [element("p", { class: "muted" }, `And ${more.toLocaleString("en")} more lines: see the body.`)] : [];
  return [scroller, ...rest, element("p", { class: "muted" }, PRICE_OF_ONE)];
}
