/** Sets as `ipset save` prints them and `ipset restore` reads them. Pure. */
import { type FlowKey, IP_PROTOCOL, type TransportProtocol } from "../../model/flow.js";
import { parseAddress } from "../../model/ip.js";
import type { Octets } from "../../model/units.js";
import { type Counter, ZERO_COUNTER } from "../../model/usage.js";
import { hex, type MarkChange } from "./packet-mark.js";

export interface SetElement {
  /** As the kernel names it. */
  readonly key: string;
  readonly counter?: Counter;
  readonly comment?: string;
  readonly mark?: MarkChange;
  /** Major and minor number of a class, as one number. */
  readonly priority?: number;
}

export interface SavedSet {
  readonly name: string;
  /** What follows the name in `create`. */
  readonly header: string;
  readonly elements: readonly SetElement[];
}

function optionsText({ counter, comment, mark, priority }: Omit<SetElement, "key">): string {
  return [
    ...(counter === undefined ? [] : [` packets ${counter.packets} bytes ${counter.octets}`]),
    ...(comment === undefined ? [] : [` comment "${comment}"`]),
    ...(mark === undefined ? [] : [` skbmark ${hex(mark.value)}/${hex(mark.mask)}`]),
    ...(priority === undefined
      ? []
      : [` skbprio ${(priority >>> 16).toString(16)}:${(priority & 0xffff).toString(16)}`]),
  ].join("");
}

export const addLine = (set: string, { key, ...options }: SetElement): string =>
  `add ${set} ${key}${optionsText(options)}`;

export const deleteLine = (set: string, key: string): string => `del ${set} ${key}`;

/** In the order in which ipset prints the options of sets like ours. */
const OPTIONS =
  /^(?: packets (\d+) bytes (\d+))?(?: comment "([^"]*)")?(?: skbmark (0x[0-9a-f]+)(?:\/(0x[0-9a-f]+))?)?(?: skbprio ([0-9a-f]+):([0-9a-f]+))? ?$/;

/** Bare for an element whose options are none of ours: such a one is nobody's flow. */
function parseElement(key: string, options: string): SetElement {
  const [, packets, octets, comment, value, mask, major, minor] = OPTIONS.exec(options) ?? [];
  return {
    key,
    ...(comment === undefined ? {} : { comment }),
    ...(packets === undefined ? {} : { counter: { packets: Number(packets), octets: Number(octets) as Octets } }),
    ...(value === undefined ? {} : { mark: { value: Number(value), mask: Number(mask ?? 0xffffffff) } }),
    ...(major === undefined
      ? {}
      : { priority: Number.parseInt(major, 16) * 0x10000 + Number.parseInt(minor ?? "0", 16) }),
  };
}

/** ipset, reading commands, asks for each. */
const PROMPT = "ipset> ";

function withoutPrompts(line: string): string {
  let from = 0;
  while (line.startsWith(PROMPT, from)) from += PROMPT.length;
  return from === 0 ? line : line.slice(from);
}

/**
 * Sets by name; lines that are none of `ipset save` are passed over.
 * @param only keys of elements; the others are passed over unread, which is what a long set costs.
 */
export function parseSaved(text: string, only?: ReadonlySet<string>): ReadonlyMap<string, SavedSet> {
  const sets = new Map<string, SavedSet>();
  let elements: SetElement[] = [];
  for (const asPrinted of text.split("\n")) {
    const line = withoutPrompts(asPrinted);
    if (line.startsWith("add ")) {
      const keyAt = line.indexOf(" ", 4) + 1;
      const space = line.indexOf(" ", keyAt);
      const end = space < 0 ? line.length : space;
      const key = keyAt === 0 ? "" : line.slice(keyAt, end);
      if (key !== "" && (only === undefined || only.has(key))) elements.push(parseElement(key, line.slice(end)));
      continue;
    }
    const create = /^create (\S+) (.*)$/.exec(line);
    if (create === null) continue;
    const [, name = "", header = ""] = create;
    elements = [];
    sets.set(name, { name, header: header.trim(), elements });
  }
  return sets;
}

/** The key of a flow in the sets of its family: everything but the source port. */
export const flowSetKey = ({ protocol, source, destination }: FlowKey): string =>
  `${source.address},${protocol}:${destination.port},${destination.address}`;

export type LooseKey = Omit<FlowKey, "source"> & { readonly source: { readonly address: string } };

/** Undefined for what is no key of a flow. */
export function parseFlowSetKey(text: string): LooseKey | undefined {
  const match = /^([^,]+),([a-z]+):(\d{1,5}),([^,]+)$/.exec(text);
  if (match === null) return undefined;
  const [, from = "", protocol = "", port, to = ""] = match;
  const source = parseAddress(from);
  const destination = parseAddress(to);
  if (source === undefined || destination === undefined || !(protocol in IP_PROTOCOL)) return undefined;
  return {
    protocol: protocol as TransportProtocol,
    source: { address: source },
    destination: { address: destination, port: Number(port) },
  };
}

export const counterOf = (element: SetElement | undefined): Counter => element?.counter ?? ZERO_COUNTER;

/** Whether the set that `ipset save` describes is the one that `wanted` would make; what grows by itself is not compared. */
export function sameHeader(found: string, wanted: string): boolean {
  const words = (header: string): string =>
    header
      .replace(/ (hashsize|bucketsize|initval) \S+/g, "")
      .split(" ")
      .sort()
      .join(" ");
  return words(found) === words(wanted);
}
