/** Says things to those who hear the page instead of seeing it: two live regions that are there from the beginning. */
import { el } from "./element.js";

export interface Announcer {
  readonly element: HTMLElement;
  /** When there is a pause. */
  say(text: string): void;
  /** At once: somebody calls, or something failed. */
  alert(text: string): void;
}

/** Its element has to be in the page before anything is said. */
export function createAnnouncer(): Announcer {
  const polite = el("p", { role: "status", "aria-live": "polite", class: "unseen" });
  const urgent = el("p", { role: "alert", "aria-live": "assertive", class: "unseen" });
  return {
    element: el("div", {}, polite, urgent),
    say: (text) => repeat(polite, text),
    alert: (text) => repeat(urgent, text),
  };
}

/** The same text twice is a change too: a no-break space tells them apart. */
function repeat(region: HTMLElement, text: string): void {
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}
