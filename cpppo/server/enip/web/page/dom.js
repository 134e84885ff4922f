// Elements: found, made, filled.  All text from the server is put in here, by textContent and nothing else.

export function byId(id) {
  return document.getElementById(id);
}

/** An element with properties and children. */
export function make(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

/** A cell of a table; `label` is shown before it where the table is too wide. */
export function cell(label, className, ...children) {
  const node = make("td", { className, role: "cell" }, ...children);
  node.dataset.label = label;
  return node;
}

/** Change a text, only if it is another one: what is selected stays so. */
export function put(node, text) {
  if (node.textContent === text) return false;
  node.textContent = text;
  return true;
}

const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Show a value, and that it has changed. */
export function putValue(node, text) {
  const before = node.textContent;
  if (put(node, text) && before !== "" && !still.matches) {
    node.animate([{ backgroundColor: "var(--changed)" }, { backgroundColor: "transparent" }], 1200);
  }
}

/** A list of items kept in the children of `parent`, each made once: whoever has the focus keeps it. */
export function kept(parent, key, create, update) {
  const rows = new Map();
  return (items) => {
    const keys = new Set(items.map(key));
    for (const [one, row] of rows) {
      if (!keys.has(one)) {
        row.node.remove();
        rows.delete(one);
      }
    }
    let place = parent.firstElementChild;
    for (const item of items) {
      const one = key(item);
      if (!rows.has(one)) rows.set(one, create(item));
      const row = rows.get(one);
      update(row, item);
      if (row.node === place) place = place.nextElementSibling;
      else parent.insertBefore(row.node, place);
    }
  };
}

const clearing = new WeakMap();

/** Say what was done, for a while. */
export function say(node, text) {
  node.textContent = text;
  clearTimeout(clearing.get(node));
  clearing.set(node, setTimeout(() => (node.textContent = ""), 8000));
}

/** Buttons to leaf through a list, and where in it one is. */
export function pager(parent, size, what, move) {
  const where = make("span", { className: "where" });
  const state = { offset: 0, total: 0 };
  const last = () => Math.max(Math.ceil(state.total / size) - 1, 0) * size;
  const button = (text, target) => make("button", { type: "button", textContent: text, onclick: () => move(target()) });
  const back = [button("First", () => 0), button("Previous", () => Math.max(state.offset - size, 0))];
  const forth = [button("Next", () => state.offset + size), button("Last", last)];
  const node = make("nav", { className: "pager", ariaLabel: `Pages of ${what}` }, where, ...back, ...forth);
  parent.replaceChildren(node);
  return (offset, count, total) => {
    Object.assign(state, { offset, total });
    node.hidden = total <= size && offset === 0;
    const [first, end] = [offset + 1, offset + count].map((number) => number.toLocaleString("en"));
    put(where, `${count > 0 ? `${first} to ${end}` : "none"} of ${total.toLocaleString("en")}`);
    for (const one of back) one.disabled = offset === 0;
    for (const one of forth) one.disabled = offset + size >= total;
    if (offset >= total && total > 0) move(last());
  };
}
