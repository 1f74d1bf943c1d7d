import { el } from "../dom/element.js";

/** A part of the operators' page, with its title. */
export const section = (id: string, title: string, ...content: readonly HTMLElement[]): HTMLElement =>
  el("section", { class: "card", "aria-labelledby": id }, el("h2", { id }, title), ...content);
