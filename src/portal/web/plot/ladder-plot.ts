/** A sequence diagram as SVG; the same messages as a list for those who do not see it. */
import type { LadderMessage } from "../api/types.js";
import { el, svg } from "../dom/element.js";
import { formatMillis } from "../dom/format.js";
import { layoutLadder } from "./ladder.js";

/** Hosts beside each other, time downwards. */
export function ladderPlot(messages: readonly LadderMessage[]): HTMLElement {
  if (messages.length === 0) return el("p", { class: "quiet" }, "No message is known of this session any longer.");
  const { width, height, hosts, arrows } = layoutLadder(messages);
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    class: "ladder",
    "aria-hidden": "true",
  });
  for (const { name, x } of hosts) {
    picture.append(svg("line", { x1: x, x2: x, y1: 36, y2: height, class: "lifeline" }));
    picture.append(svg("text", { x, y: 24, "text-anchor": "middle", class: "host" }, name));
  }
  for (const { y, from, to, text, after } of arrows)
    picture.append(...arrow(y, from, to, `${text}  +${formatMillis(after)}`));
  const list = messages.map(({ from, to, message }) => el("li", {}, `${from} to ${to}: ${message}`));
  return el(
    "div",
    {},
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Sequence diagram" }, picture),
    el("details", {}, el("summary", {}, "The messages as a list"), el("ol", {}, ...list)),
  );
}

function arrow(y: number, from: number, to: number, text: string): readonly SVGElement[] {
  const way = to >= from ? -1 : 1;
  const end = from === to ? to + 30 : to;
  return [
    svg("line", { x1: from, x2: end, y1: y, y2: y, class: "arrow" }),
    svg("path", { d: `M${end} ${y}l${way * 7} -4v8z`, class: "head" }),
    svg("text", { x: (from + end) / 2, y: y - 5, "text-anchor": "middle" }, text),
  ];
}
