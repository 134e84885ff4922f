// The list of tags: searched and leafed through on the server.

import { byId, cell, kept, make, pager, put, putValue, say } from "./dom.js";
import { choice, edit, leaveEditor, line } from "./edit.js";
import { polled, refresh } from "./poll.js";
import { change, exactly, get } from "./server.js";
import { status, STATUSES } from "./status.js";
import { inLine, shown, typed, whole } from "./values.js";

const ROWS = 50;
const SHORT = 120; // characters of a value in the list
const PAUSE_MS = 250; // in typing, after which is searched

const style = byId("style");
const search = byId("search");
const said = byId("tags-said");

/** What the page may do, and how it shows numbers. */
export const view = { readonly: true, style: "decimal" };

let offset = 0;
let one = null; // the name of the tag shown by itself
let asked = 0;

export function tagLink(name) {
  return `#tag=${encodeURIComponent(name)}`;
}

/** Edit a value of a tag; `command`: which of its elements. */
export async function setValue(tag, command, value, label) {
  await change("tags", exactly(tag.name), command, value);
  say(said, `${label} is set`);
  refresh();
}

/** Let a button edit the status that a tag's requests are answered with. */
export function editStatus(button, tag) {
  edit(button, {
    label: `Reply status of ${tag.name}`,
    input: choice(STATUSES, String(tag.error)),
    save: async (code) => {
      await change("tags", exactly(tag.name), "error", Number(code));
      say(said, `${tag.name} answers ${status(Number(code))}`);
      refresh();
    },
  });
}

export function showStatus(button, tag) {
  put(button, status(tag.error));
  button.classList.toggle("bad", tag.error !== 0);
  button.classList.toggle("dim", tag.error === 0);
  button.disabled = view.readonly;
  button.title = view.readonly ? "" : "Answer requests for this tag with a status of your choice";
}

/** The element to edit a value by. */
export function inputFor(value, type) {
  const text = shown(value, type);
  return typeof value === "boolean" ? choice([["0", "0 (false)"], ["1", "1 (true)"]], text) : line(text);
}

/** Whether a value is no structure: it is edited in one line. */
export function plain(value) {
  return value === null || typeof value !== "object";
}

function create() {
  const row = { tag: null };
  row.name = make("a");
  row.description = make("span", { className: "description dim" });
  row.type = make("span");
  row.access = make("span", { className: "access dim" });
  row.value = make("button", { type: "button", className: "value" });
  row.several = make("a", { className: "several" });
  row.problem = make("span", { className: "problem" });
  row.status = make("button", { type: "button", className: "value status" });
  row.value.addEventListener("click", () => {
    const { tag } = row;
    edit(row.value, {
      label: `Value of ${tag.name}, ${tag.type}`,
      input: inputFor(tag.values[0], tag.type),
      save: (text) => setValue(tag, "attribute[0]", text, tag.name),
    });
  });
  row.status.addEventListener("click", () => editStatus(row.status, row.tag));
  row.node = make(
    "tr",
    { role: "row" },
    cell("", "name", row.name, row.description),
    cell("", "type", row.type, row.access),
    cell("", "values", row.value, row.several, row.problem),
    cell("", "status", row.status),
  );
  return row;
}

function update(row, tag) {
  row.tag = tag;
  put(row.name, tag.name);
  row.name.href = row.several.href = tagLink(tag.name);
  put(row.description, tag.description);
  put(row.type, typed(tag));
  put(row.access, tag.access === "read-write" ? "" : tag.access === "none" ? "no access" : tag.access);
  put(row.problem, tag.text ?? "");
  const single = tag.scalar && tag.text === null && plain(tag.values[0]);
  const editing = row.value.nextElementSibling.matches(".editor");
  row.several.hidden = single || tag.text !== null;
  row.value.hidden = !single || editing;
  if (single) {
    putValue(row.value, shown(tag.values[0], tag.type, view.style) || "(empty)");
    row.value.setAttribute("aria-label", `${tag.name}: ${row.value.textContent}`);
    row.value.disabled = view.readonly;
  } else {
    putValue(row.several, summary(tag));
  }
  showStatus(row.status, tag);
}

function summary(tag) {
  const parts = tag.values.map((value) => (plain(value) ? "" : "{") + inLine(value, tag.type, view.style) + (plain(value) ? "" : "}"));
  const text = parts.join(", ");
  if (text.length > SHORT) return `${text.slice(0, SHORT)}…`;
  return tag.length > tag.values.length ? `${text}, …` : text;
}

const fill = kept(byId("tag-rows"), (tag) => tag.name, create, update);
const showPage = pager(byId("tags-pager"), ROWS, "tags", move);

function move(to) {
  offset = to;
  byId("tags-heading").scrollIntoView({ block: "nearest" });
  refresh();
}

async function poll() {
  if (one !== null) return;
  const number = ++asked;
  const text = search.value.trim();
  const found = await get("tags", { search: text, offset, limit: ROWS });
  if (one !== null || number !== asked || text !== search.value.trim()) return;
  fill(found.tags);
  put(byId("tags-heading"), `Tags (${whole(found.total)})`);
  byId("tags-none").hidden = found.matched > 0;
  put(byId("tags-none"), text === "" ? "There are no tags." : "No tag fits.");
  showPage(found.offset, found.tags.length, found.matched);
}

/** Show the list, or, if a name is given, let it be. */
export function showList(name) {
  one = name;
  byId("tag-list").hidden = name !== null;
  refresh();
}

export function startTags() {
  let typing = 0;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      leaveEditor();
      offset = 0;
      refresh();
    }, PAUSE_MS);
  });
  style.addEventListener("change", () => {
    view.style = style.value;
    refresh();
  });
  polled(poll, byId("tags"));
}
