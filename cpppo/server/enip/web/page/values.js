// Values as text: of tags, octets, times.

const BITS = {
  SINT: 8, USINT: 8, BYTE: 8,
  INT: 16, UINT: 16, WORD: 16,
  DINT: 32, UDINT: 32, DWORD: 32,
  LINT: 64, ULINT: 64, LWORD: 64,
};
const RADIX = { hex: { prefix: "0x", base: 16, digit: 4 }, binary: { prefix: "0b", base: 2, digit: 1 } };

/** A single value of a type; of a member of a structure the type is not known. */
export function shown(value, type, style = "decimal") {
  if (typeof value === "boolean") return value ? "1" : "0";
  const bits = BITS[type];
  if (style !== "decimal" && bits !== undefined) {
    const { prefix, base, digit } = RADIX[style];
    const text = BigInt.asUintN(bits, BigInt(value)).toString(base).toUpperCase();
    return prefix + text.padStart(bits / digit, "0");
  }
  if (typeof value === "number" && type !== "LREAL" && !Number.isInteger(value)) return real(value);
  return String(value);
}

/** The shortest text of a number of 32 bits. */
function real(value) {
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(value);
}

/** A value of any kind in a line. */
export function inLine(value, type, style) {
  if (Array.isArray(value)) return `[${value.map((one) => inLine(one, null, style)).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    return Object.entries(value).map(([name, one]) => `${name}: ${inLine(one, null, style)}`).join(", ");
  }
  return shown(value, type, style);
}

/** The parts of a value that are no structure and no array, each with the way to it. */
export function leaves(value, path = []) {
  if (value === null || typeof value !== "object") return [{ path, value }];
  const parts = Array.isArray(value) ? value.map((one, index) => [index, one]) : Object.entries(value);
  return parts.flatMap(([step, one]) => leaves(one, [...path, step]));
}

/** A copy of a value with another part; the part keeps its kind. */
export function replaced(value, path, text) {
  if (path.length === 0) return likewise(value, text);
  const copy = Array.isArray(value) ? [...value] : { ...value };
  copy[path[0]] = replaced(value[path[0]], path.slice(1), text);
  return copy;
}

function likewise(value, text) {
  const word = text.trim().toLowerCase();
  if (typeof value === "boolean" && ["0", "1", "false", "true"].includes(word)) return word === "1" || word === "true";
  if (typeof value === "number" && word !== "" && Number.isFinite(Number(word))) return Number(word);
  return text; // the server says what is wrong with it
}

/** The indices of an element of an array of several dimensions. */
export function indices(at, shape) {
  const found = [];
  for (let dimension = shape.length - 1; dimension >= 0; dimension--) {
    found.unshift(at % shape[dimension]);
    at = Math.floor(at / shape[dimension]);
  }
  return found.length > 0 ? found.join(",") : "0";
}

export function typed(tag) {
  return tag.scalar ? tag.type : `${tag.type}[${tag.shape.join(",")}]`;
}

export function whole(number) {
  return number.toLocaleString("en");
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A count that may be large, in a few characters. */
export function brief(number) {
  return number < 10_000 ? whole(number) : compact.format(number);
}

/** A time in one unit, rounded down. */
export function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** A short time, in the unit that fits. */
export function latency(seconds) {
  if (seconds < 0.001) return `${(seconds * 1e6).toPrecision(3).replace(/\.0+$/, "")} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toPrecision(3).replace(/\.0+$/, "")} ms`;
  return `${seconds.toPrecision(3)} s`;
}
