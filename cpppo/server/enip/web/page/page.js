// The page: its parts are started here, and whether the server answers is shown.

import { startConnections } from "./connections.js";
import { byId, put } from "./dom.js";
import { showLost, startOverview } from "./overview.js";
import { refresh, resume, start } from "./poll.js";
import { hasToken, keepToken } from "./server.js";
import { startTag } from "./tag.js";
import { startTags } from "./tags.js";
import { startTraffic } from "./traffic.js";

const dialog = byId("token-dialog");
const token = byId("token");
const again = byId("lost-again");

function connected() {
  document.body.classList.remove("offline");
  put(byId("lost-text"), "");
  again.hidden = true;
}

function lost(why, seconds) {
  document.body.classList.add("offline");
  put(byId("lost-text"), `Not connected. ${why} What is shown is old; next try in ${seconds} s.`);
  again.hidden = false;
  showLost();
}

function askToken() {
  put(byId("token-problem"), hasToken() ? "This is not the token." : "");
  token.value = "";
  dialog.showModal();
  token.focus();
}

byId("token-form").addEventListener("submit", () => {
  keepToken(token.value);
  resume();
});
dialog.addEventListener("cancel", (event) => event.preventDefault()); // nothing can be seen without
again.addEventListener("click", refresh);

startOverview();
startTags();
startTag();
startTraffic();
startConnections();
start({ connected, lost, token: askToken });
