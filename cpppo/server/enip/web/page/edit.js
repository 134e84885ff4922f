// Editing in place: a form instead of the button that shows the value; Enter sets it, Escape leaves it.

import { make } from "./dom.js";

let leave = () => {};
let count = 0;

/**
 * Edit what a button shows.
 * `label`: what is edited; `input`: the element to edit it by; `save`: takes its value, and throws why it cannot be.
 */
export function edit(button, { label, input, save }) {
  leave();
  const id = `editor-${++count}`;
  const said = make("p", { className: "problem", id: `${id}-problem`, role: "alert" });
  const set = make("button", { textContent: "Set" });
  const cancel = make("button", { type: "button", textContent: "Cancel" });
  const form = make(
    "form",
    { className: "editor", noValidate: true },
    make("label", { htmlFor: id, className: "unseen", textContent: label }),
    Object.assign(input, { id }),
    set,
    cancel,
    said,
  );
  input.setAttribute("aria-describedby", said.id);

  const close = () => {
    const within = form.contains(document.activeElement);
    form.remove();
    button.hidden = false;
    if (within) button.focus();
    leave = () => {};
  };
  cancel.addEventListener("click", close);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      close();
    } else if (event.key === "Enter" && event.target === input) {
      event.preventDefault(); // that of a select would not submit
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (set.disabled) return;
    set.disabled = true;
    said.textContent = "";
    try {
      await save(input.value);
      close();
    } catch (error) {
      said.textContent = error.message;
      input.setAttribute("aria-invalid", "true");
      input.focus();
    }
    set.disabled = false;
  });

  button.hidden = true;
  button.after(form);
  input.focus();
  input.select?.();
  leave = close;
}

/** Leave what is being edited. */
export function leaveEditor() {
  leave();
}

/** A line to type a value in. */
export function line(text) {
  return make("input", { type: "text", value: text, autocomplete: "off", spellcheck: false });
}

/** A choice of [value, text]. */
export function choice(options, chosen) {
  const node = make("select", {}, ...options.map(([value, text]) => make("option", { value, textContent: text })));
  node.value = chosen;
  return node;
}
