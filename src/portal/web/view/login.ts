/** The form that lets somebody in. */
import { type ApiClient, ApiError } from "../api/client.js";
import type { PortalSession } from "../api/types.js";
import { el, isUsable, setUsable } from "../dom/element.js";

/** @param notice - why it is shown, where that is not plain */
export function loginView(api: ApiClient, onSession: (session: PortalSession) => void, notice = ""): HTMLElement {
  const user = field("user", "Name", "text", "username");
  const password = field("password", "Password", "password", "current-password");
  const error = el("p", { role: "alert", class: "error", id: "login-error" }, notice);
  const submit = el("button", { type: "submit", class: "primary" }, "Log in");
  const form = el("form", { class: "card login", "aria-labelledby": "login-title" });
  form.append(el("h1", { id: "login-title" }, "Log in"), user.row, password.row, error, submit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!isUsable(submit)) return;
    setUsable(submit, false);
    error.textContent = "";
    api
      .login(user.input.value, password.input.value)
      .then(onSession, (reason: unknown) => {
        error.textContent = messageOf(reason);
        password.input.value = "";
        password.input.focus();
      })
      .finally(() => setUsable(submit, true));
  });
  return form;
}

function field(name: string, label: string, type: string, autocomplete: string) {
  const input = el("input", { id: name, name, type, autocomplete, required: true, "aria-describedby": "login-error" });
  return { input, row: el("div", { class: "field" }, el("label", { for: name }, label), input) };
}

function messageOf(reason: unknown): string {
  if (!(reason instanceof ApiError)) return "The log-in failed.";
  if (reason.status === 401) return "Name or password is wrong.";
  if (reason.status === 429) {
    const wait = reason.retryAfter === undefined ? "a while" : `${reason.retryAfter} s`;
    return `Too many attempts. Try again in ${wait}.`;
  }
  return `The log-in failed: ${reason.message}.`;
}
