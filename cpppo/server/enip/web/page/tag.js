// A tag by itself: its elements a page at a time, the members of structures.

import { byId, kept, make, pager, put, putValue } from "./dom.js";
import { edit, leaveEditor } from "./edit.js";
import { polled, refresh } from "./poll.js";
import { get, Refused } from "./server.js";
import { editStatus, inputFor, plain, setValue, showList, showStatus, view } from "./tags.js";
import { indices, leaves, replaced, shown, typed } from "./values.js";

const CELLS = 100; // elements at a time
const STRUCTURES = 10; // the same of structures, and members of each that are shown
const MEMBERS = 200;

const heading = byId("tag-name");
const problem = byId("tag-problem");
const cells = byId("tag-cells");
const back = byId("tag-back");
const statusButton = byId("tag-status");

let name = null;
let tag = null;
let offset = 0;
let size = CELLS;
let fill = null;
let showPage = null;

function labelled(index, path) {
  const element = tag.scalar ? "" : `[${indices(index, tag.shape)}]`;
  const member = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
  return element + member;
}

function parts() {
  return tag.values.flatMap((value, at) =>
    leaves(value)
      .slice(0, MEMBERS)
      .map((leaf) => ({ index: offset + at, label: labelled(offset + at, leaf.path), ...leaf })),
  );
}

function create() {
  const row = { part: null };
  row.label = make("span", { className: "label dim" });
  row.value = make("button", { type: "button", className: "value" });
  row.value.addEventListener("click", () => {
    const { index, path, label, value } = row.part;
    edit(row.value, {
      label: `Value of ${tag.name}${label}`,
      input: inputFor(value, path.length === 0 ? tag.type : null),
      save: (text) => save(tag, index, path, text, tag.name + label),
    });
  });
  row.node = make("li", {}, row.label, row.value);
  return row;
}

function update(row, part) {
  row.part = part;
  put(row.label, part.label.replace(/^\./, "") || "value");
  const text = shown(part.value, part.path.length === 0 ? tag.type : null, view.style) || "(empty)";
  putValue(row.value, text);
  row.value.setAttribute("aria-label", `${tag.name}${part.label}: ${text}`);
  row.value.disabled = view.readonly;
}

async function save(of, index, path, text, label) {
  const command = `attribute[${indices(index, of.shape)}]`;
  if (path.length === 0) return setValue(of, command, text, label);
  // A structure is written as a whole: the other members as they are now.
  const { values, text: why } = await get("tag", { name: of.name, offset: index, limit: 1 });
  if (values.length === 0) throw new Refused(400, why);
  return setValue(of, command, replaced(values[0], path, text), label);
}

async function poll() {
  if (name === null) return;
  const asked = { name, offset };
  try {
    const got = await get("tag", { ...asked, limit: size });
    if (asked.name !== name || asked.offset !== offset) return;
    show(got);
  } catch (error) {
    if (!(error instanceof Refused) || error.status === 401 || error.status === 503) throw error;
    put(problem, error.message);
  }
}

function show(got) {
  const first = tag === null;
  tag = got;
  if (first) begin();
  put(byId("tag-description"), tag.description);
  put(byId("tag-type"), typed(tag));
  put(byId("tag-access"), tag.access === "read-write" ? "read and write" : tag.access === "none" ? "none" : "read only");
  put(problem, tag.text ?? "");
  showStatus(statusButton, tag);
  const inside = tag.values.length <= size ? tag : { ...tag, values: tag.values.slice(0, size) };
  tag = inside;
  fill(parts());
  showPage(offset, tag.values.length, tag.length);
}

/** What depends on the kind of tag: how many elements are asked for, and how wide they are shown. */
function begin() {
  const structure = tag.values.some((value) => !plain(value));
  const wide = structure || tag.values.some((value) => typeof value === "string");
  size = structure ? STRUCTURES : CELLS;
  cells.className = wide ? "cells wide" : "cells";
  showPage = pager(byId("tag-pager"), size, "elements", move);
  byId("tag-go").hidden = tag.length <= size;
  byId("tag-element").max = tag.length - 1;
}

function move(to) {
  leaveEditor();
  offset = to;
  refresh();
}

/** Show the tag that the address of the page names, or the list. */
function follow() {
  const match = /^#tag=(.*)$/s.exec(location.hash);
  leaveEditor();
  name = match === null ? null : decoded(match[1]);
  [tag, offset, size] = [null, 0, CELLS];
  fill = kept(cells, (part) => `${part.index}.${part.label}`, create, update);
  cells.replaceChildren();
  byId("tag-pager").replaceChildren();
  byId("tag-go").hidden = true;
  problem.textContent = "";
  for (const one of [byId("tag-description"), byId("tag-type"), byId("tag-access"), statusButton]) put(one, "");
  byId("tag-one").hidden = name === null;
  put(heading, name ?? "");
  if (name !== null) heading.focus({ preventScroll: true });
  showList(name);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function startTag() {
  addEventListener("hashchange", follow);
  back.addEventListener("click", (event) => {
    event.preventDefault();
    location.hash = "";
    byId("tags-heading").focus({ preventScroll: true });
  });
  statusButton.addEventListener("click", () => editStatus(statusButton, tag));
  byId("tag-go").addEventListener("submit", (event) => {
    event.preventDefault();
    const at = Number(byId("tag-element").value);
    move(Math.floor(at / size) * size);
  });
  polled(poll, byId("tags"));
  follow();
}
