/** Where the page begins: logged in or not. */
import { ApiClient } from "./api/client.js";
import type { PortalSession } from "./api/types.js";
import { type App, createApp } from "./app.js";
import { createAnnouncer } from "./dom/announce.js";
import { el, fill } from "./dom/element.js";
import { loginView } from "./view/login.js";

const announcer = createAnnouncer();
const place = el("div");
let app: App | undefined;

const api = new ApiClient(() => showLogin("You were logged out. Log in again."));

function showLogin(notice = ""): void {
  const former = app;
  app = undefined;
  void former?.dispose();
  document.title = "Log in · Sluice";
  fill(place, el("main", {}, loginView(api, showApp, notice)));
  if (former !== undefined) document.getElementById("user")?.focus();
}

function showApp(session: PortalSession): void {
  const former = app;
  app = createApp({ api, session, announcer, onLogOut: () => showLogin("You are logged out.") });
  void former?.dispose();
  fill(place, app.element);
}

async function begin(): Promise<void> {
  document.body.append(place, announcer.element);
  try {
    const session = await api.session();
    if (session === undefined) showLogin();
    else showApp(session);
  } catch {
    showLogin("The server does not answer.");
  }
}

void begin();
