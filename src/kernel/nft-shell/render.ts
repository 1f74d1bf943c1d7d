/** Changes of elements as nft commands: what `nft -i` is given, and what `--dry-run` prints. Pure. */
import { KernelError } from "../../model/errors.js";
import type { ElementChange } from "../netlink/nf-tables.js";
import type { SetElement } from "../netlink/set-element.js";
import { keyText, type SetLayout, type SetLayouts } from "./set-layout.js";

/** nft has no escapes inside quotes. */
const QUOTABLE = /^[\x20\x21\x23-\x7e]{1,127}$/;

function refuse(change: ElementChange, why: string): KernelError {
  const operation = `write ${change.object} as text`;
  return new KernelError("KERNEL_NFT_TEXT", `${operation}: ${why}`, { operation, errno: "EINVAL" });
}

/**
 * One command, without an end of line.
 * @throws KernelError KERNEL_NFT_TEXT for what nft's language cannot say.
 */
export function renderChange(table: string, layouts: SetLayouts, change: ElementChange): string {
  const layout = layouts.get(change.set);
  if (layout === undefined) throw refuse(change, `${table} has no set ${change.set} that can be written as text`);
  const { element } = change;
  const words = [keyText(layout, element.key)];
  if (change.action !== "delete") words.push(...statements(change), ...mapped(layout, element, change));
  const verb = change.action === "ensure" ? "add" : change.action;
  return `${verb} element inet ${table} ${change.set} { ${words.join(" ")} }`;
}

function statements(change: ElementChange): readonly string[] {
  const { limit, counter, comment } = change.element;
  const words: string[] = [];
  // nft refuses a burst of 0 octets; one octet more makes no difference that could be measured.
  if (limit?.unit === "packets") words.push(`limit rate ${limit.rate}/second burst ${limit.burst} packets`);
  else if (limit !== undefined)
    words.push(`limit rate ${limit.rate} bytes/second burst ${Math.max(1, limit.burst)} bytes`);
  if (counter !== undefined) words.push(`counter packets ${counter.packets} bytes ${counter.octets}`);
  if (comment !== undefined) {
    if (!QUOTABLE.test(comment)) throw refuse(change, "its comment cannot be quoted");
    words.push(`comment "${comment}"`);
  }
  return words;
}

function mapped(layout: SetLayout, { data }: SetElement, change: ElementChange): readonly string[] {
  if (layout.data === undefined) return [];
  if (data?.length !== layout.data.width) throw refuse(change, `its value does not fit ${layout.name}`);
  return [`: ${layout.data.toText(data)}`];
}

/** In the order in which they are carried out: a key may pass from a deleted element to a created one. */
export const inOrder = (changes: readonly ElementChange[]): readonly ElementChange[] =>
  [...changes].sort((left, right) => Number(left.action !== "delete") - Number(right.action !== "delete"));

/** One transaction for `nft -f`, a command a line. */
export const renderTransaction = (table: string, layouts: SetLayouts, changes: readonly ElementChange[]): string =>
  inOrder(changes)
    .map((change) => `${renderChange(table, layouts, change)}\n`)
    .join("");
