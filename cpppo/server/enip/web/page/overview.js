// Who the controller is and how it is; its delay, and its port closed and opened.

import { byId, put } from "./dom.js";
import { edit, line } from "./edit.js";
import { polled, refresh } from "./poll.js";
import { change, get } from "./server.js";
import { view } from "./tags.js";
import { brief, whole } from "./values.js";

const STATES = { running: "Running", disabled: "Disabled: its port is closed", ended: "Ended" };

const state = byId("state");
const disable = byId("disable");
const delay = byId("delay");
const complaint = byId("server-problem");

let last = null;

function span({ value, range }) {
  if (range === null) return `${value} s`;
  const [low, high] = /^(.*[^e])-(.*)$/i.exec(range).slice(1).map(Number);
  return low === high ? `${low} s` : `${low} to ${high} s`;
}

async function poll() {
  last = await get("overview");
  view.readonly = last.readonly;
  const { controller: who, totals } = last;
  document.title = `${who.name}: ${last.state}`;
  put(byId("name"), who.name);
  put(byId("product"), `${who.product}, revision ${who.revision}, serial ${who.serial}`);
  put(byId("address"), last.address);
  put(byId("version"), `cpppo ${last.version}`);
  put(byId("requests"), whole(totals.requests));
  put(byId("octets"), `${brief(totals.received)} / ${brief(totals.sent)}`);
  byId("octets").title = `${whole(totals.received)} / ${whole(totals.sent)}`;
  put(byId("writes"), whole(totals.writes));
  byId("readonly").hidden = !last.readonly;
  put(delay, span(last.delay));
  delay.disabled = last.readonly;
  delay.setAttribute("aria-label", `Delay of replies: ${delay.textContent}`);
  disable.hidden = last.readonly || last.state === "ended";
  put(disable, last.control.disable ? "Enable" : "Disable");
  disable.title = last.control.disable ? "Open the port again" : "End all sessions and close the port, until enabled";
  showState(last.state, STATES[last.state] ?? last.state);
}

function showState(name, text) {
  put(state, text);
  state.className = `state ${name}`;
}

/** The server does not answer. */
export function showLost() {
  showState("lost", "Not connected");
}

async function toggle() {
  complaint.textContent = "";
  disable.disabled = true;
  try {
    await change("server", "control", "disable", !last.control.disable);
    refresh();
  } catch (error) {
    complaint.textContent = error.message;
  }
  disable.disabled = false;
  disable.focus();
}

/** A delay that was started as a range stays one. */
function setDelay(text) {
  const given = text.trim();
  if (last.delay.range === null) return change("options", "delay", "value", given);
  return change("options", "delay", "range", given.includes("-") ? given : `${given}-${given}`);
}

export function startOverview() {
  disable.addEventListener("click", toggle);
  delay.addEventListener("click", () =>
    edit(delay, {
      label: `Delay of replies, seconds${last.delay.range === null ? "" : ", or a range of them, eg. 0.5-1.5"}`,
      input: line(last.delay.range ?? String(last.delay.value)),
      save: async (text) => {
        await setDelay(text);
        refresh();
      },
    }),
  );
  polled(poll);
}
