// A line over the last minutes, drawn as SVG.

import { put } from "./dom.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const SPAN_S = 300;
const GAP_S = 3; // between two samples: the line is broken there
const [LEFT, RIGHT, TOP, BOTTOM, HEIGHT] = [58, 8, 8, 18, 116];

function draw(name, attributes = {}) {
  const node = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/** The next 1, 2 or 5 times a power of ten. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((times) => times * power).find((one) => one >= value * (1 - 1e-9));
}

/**
 * A chart in `parent`.  `read`: the value of a sample, or null; `text`: a value in words; `least`: the top of the scale
 * at least; `output`: says the latest value, or that under the pointer.
 */
export function chart(parent, { read, text, least, output, name }) {
  const svg = draw("svg", { role: "img", height: HEIGHT });
  const scale = [0, 0.5, 1].map((part) => ({
    part,
    line: draw("line", { class: "grid", x1: LEFT }),
    label: draw("text", { x: LEFT - 6, "text-anchor": "end" }),
  }));
  const times = [4, 3, 2, 1, 0].map((minutes) => ({ minutes, label: draw("text", { y: HEIGHT - 3 }) }));
  const area = draw("path", { class: "area" });
  const curve = draw("path", { class: "curve" });
  const pointer = draw("line", { class: "pointer", y1: TOP, y2: HEIGHT - BOTTOM });
  svg.append(...scale.flatMap(({ line, label }) => [line, label]), ...times.map(({ label }) => label), area, curve, pointer);
  parent.append(svg);

  let samples = [];
  let width = 0;
  let at = null; // the pointer, in pixels

  function paint() {
    if (width < LEFT + RIGHT + 20) return;
    const end = samples.at(-1)?.time ?? 0;
    const top = ceiling(Math.max(least, ...samples.map((one) => read(one) ?? 0)));
    const x = (time) => LEFT + (width - LEFT - RIGHT) * (1 - (end - time) / SPAN_S);
    const y = (value) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value / top);
    for (const { part, line, label } of scale) {
      const height = y(part * top);
      line.setAttribute("x2", width - RIGHT);
      line.setAttribute("y1", height);
      line.setAttribute("y2", height);
      label.setAttribute("y", height + 4);
      put(label, part === 0 ? "0" : text(part * top));
    }
    for (const { minutes, label } of times) {
      label.setAttribute("x", x(end - minutes * 60));
      label.setAttribute("text-anchor", minutes === 0 ? "end" : "middle");
      put(label, minutes === 0 ? "now" : `−${minutes} min`);
    }
    let line = "";
    let filled = "";
    for (const run of runs(samples, read)) {
      const points = run.map((one) => `${x(one.time).toFixed(1)},${y(read(one)).toFixed(1)}`);
      line += `M${points.join("L")}${points.length === 1 ? "h1" : ""}`;
      filled += `M${x(run[0].time).toFixed(1)},${y(0)}L${points.join("L")}V${y(0)}Z`;
    }
    curve.setAttribute("d", line);
    area.setAttribute("d", filled);
    tell(x);
  }

  function tell(x) {
    const latest = samples.at(-1);
    const one = at === null ? latest : nearest(samples, at, x);
    pointer.style.display = at === null || one === undefined ? "none" : "";
    if (one === undefined) return;
    const value = read(one);
    const ago = Math.round(latest.time - one.time);
    put(output, `${value === null ? "none" : text(value)}${at === null ? "" : ago === 0 ? " now" : `, ${ago} s ago`}`);
    pointer.setAttribute("x1", x(one.time));
    pointer.setAttribute("x2", x(one.time));
    const known = samples.map(read).filter((value) => value !== null);
    const most = known.length > 0 ? text(Math.max(...known)) : "none";
    svg.setAttribute("aria-label", `${name}: ${value === null ? "none" : text(value)} now, at most ${most}`);
  }

  new ResizeObserver(([entry]) => {
    width = Math.floor(entry.contentRect.width);
    svg.setAttribute("width", width);
    paint();
  }).observe(parent);
  parent.addEventListener("pointermove", (event) => {
    at = event.clientX - parent.getBoundingClientRect().left;
    paint();
  });
  parent.addEventListener("pointerleave", () => {
    at = null;
    paint();
  });
  return (given) => {
    samples = given;
    paint();
  };
}

/** The samples that have a value, in runs without a gap. */
function runs(samples, read) {
  const found = [];
  let before = null;
  for (const one of samples) {
    if (read(one) === null) {
      before = null;
      continue;
    }
    if (before === null || one.time - before.time > GAP_S) found.push([]);
    found.at(-1).push(one);
    before = one;
  }
  return found;
}

function nearest(samples, at, x) {
  let best;
  for (const one of samples) {
    if (best === undefined || Math.abs(x(one.time) - at) < Math.abs(x(best.time) - at)) best = one;
  }
  return best;
}

/** The samples of the last minutes, with those that are new. */
export function recent(samples, more) {
  const all = [...samples, ...more];
  const end = all.at(-1)?.time ?? 0;
  return all.filter((one) => one.time >= end - SPAN_S);
}
