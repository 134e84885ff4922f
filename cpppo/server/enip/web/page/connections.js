// The connections of clients, a page at a time.

import { byId, cell, kept, make, pager, put, say } from "./dom.js";
import { polled, refresh } from "./poll.js";
import { change, exactly, get } from "./server.js";
import { view } from "./tags.js";
import { brief, duration, whole } from "./values.js";

const ROWS = 25;

const body = byId("connection-rows");
const heading = byId("connections-heading");
const said = byId("connections-said");
const complaint = byId("connections-problem");
const all = byId("close-all");

let offset = 0;

function create({ id, peer }) {
  const numbers = ["requests", "in", "out", "class 3", "age"].map((label) => cell(label, "number"));
  const close = make("button", { type: "button", textContent: "Close", ariaLabel: `Close ${peer}` });
  const refused = make("p", { className: "problem", role: "alert" });
  const where = make("span");
  const row = { where, numbers, close };
  row.node = make("tr", { role: "row" }, cell("", "peer", where, refused), ...numbers, cell("", "action", close));
  close.addEventListener("click", async () => {
    close.disabled = true;
    try {
      await change("connections", exactly(id), "eof", true);
      say(said, `${peer} is closed`);
      (row.node.nextElementSibling?.querySelector("button") ?? heading).focus({ preventScroll: true });
      refresh();
    } catch (error) {
      refused.textContent = error.message;
      close.disabled = false;
      close.focus();
    }
  });
  return row;
}

function update(row, one) {
  put(row.where, one.registered ? one.peer : `${one.peer} (no session)`);
  const texts = [brief(one.requests), brief(one.received), brief(one.sent), String(one.connected), duration(one.age)];
  texts.forEach((text, at) => put(row.numbers[at], text));
  row.numbers[0].title = `${whole(one.requests)} requests`;
  row.numbers[1].title = `${whole(one.received)} octets received`;
  row.numbers[2].title = `${whole(one.sent)} octets sent`;
  row.numbers[4].title = `${whole(Math.floor(one.age))} s`;
  row.close.hidden = view.readonly;
}

const fill = kept(body, (one) => one.id, create, update);
const showPage = pager(byId("connections-pager"), ROWS, "connections", (to) => {
  offset = to;
  refresh();
});

async function poll() {
  const found = await get("connections", { offset, limit: ROWS });
  fill(found.connections);
  put(heading, `Connections (${whole(found.total)})`);
  byId("connections-none").hidden = found.total > 0;
  all.hidden = view.readonly || found.total < 2;
  showPage(found.offset, found.connections.length, found.total);
}

export function startConnections() {
  all.addEventListener("click", async () => {
    complaint.textContent = "";
    try {
      await change("connections", "*", "eof", true);
      say(said, "All are closed");
      refresh();
    } catch (error) {
      complaint.textContent = error.message;
    }
  });
  polled(poll, byId("connections"));
}
