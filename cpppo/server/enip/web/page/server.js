// Asking the server and changing things there.  The token is kept for this tab only.

const KEY = "cpppo-token";
const PATIENCE_MS = 10_000;

/** The server answered, and refused. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The server did not answer. */
export class Lost extends Error {}

export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

export function hasToken() {
  return sessionStorage.getItem(KEY) !== null;
}

async function ask(url, options = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = { Accept: "application/json", ...options.headers };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  let response;
  let body;
  try {
    response = await fetch(url, { ...options, headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    body = await response.json();
  } catch (error) {
    throw new Lost("The simulator does not answer.", { cause: error });
  }
  if (!response.ok) throw new Refused(response.status, reason(body));
  return body;
}

function reason(body) {
  const message = body.command?.message ?? body.error ?? "refused";
  return / failed: (['"]?)(.*)\1$/s.exec(message)?.[2] ?? message;
}

/** A part of what the page shows. */
export function get(part, given = {}) {
  return ask(`../page/${part}?${new URLSearchParams(given)}`);
}

/** Change something; throws why it cannot be. */
export function change(group, match, command, value) {
  return ask("../api", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ group, match, command, value }),
  });
}

/** What fits just this name where a pattern is asked for. */
export function exactly(name) {
  return name.replace(/[[*?]/g, "[$&]");
}
