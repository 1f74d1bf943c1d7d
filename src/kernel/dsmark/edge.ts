/**
 * DSMARK around the HTB tree of an interface, the edge of a DiffServ domain: wanted, and what has to be told to tc. Pure.
 *
 *     2: dsmark ── 1: htb, as without DSMARK ── one tcindex filter, which takes the class out of the slot
 */
import type { DsmarkOptions, ObservedFilter } from "./observed.js";
import {
  CLASS_MASK,
  CLASS_SHIFT,
  CLASS_VALUES,
  defaultSlotOf,
  EDGE_HANDLE,
  EDGE_MAJOR,
  INDICES,
  MARKS,
  type Mark,
  UNTOUCHED,
} from "./slots.js";

/** As it was found, under a root of ours. */
export interface ObservedEdge {
  /** Indices that do anything. */
  readonly marks: ReadonlyMap<number, Mark>;
  /** Filters at the tree in it. */
  readonly filters: readonly ObservedFilter[];
}

/** Every index is one of DSMARK's "classes"; the tree hangs in all of them alike. */
const CARRIER = `${EDGE_MAJOR}:1`;
export const INSIDE_EDGE = `parent ${CARRIER}`;
/** The kernel does not tell the filter's parameters: this number stands for them. Another for others. */
const PRIORITY = 5301;
const ETH_P_ALL = 3;

const hex = (value: number): string => `0x${value.toString(16)}`;
const sameMark = (left: Mark, right: Mark): boolean => left.mask === right.mask && left.value === right.value;

/** `set_tc_index` has DSMARK make the header its own before it writes there: a captured packet shares it. */
const rootCommand = (device: string, signature: number): string =>
  `qdisc add dev ${device} root handle ${EDGE_MAJOR}: ` +
  `dsmark indices ${INDICES} default_index ${hex(defaultSlotOf(signature))} set_tc_index`;

/** Whether a root qdisc is a DSMARK as we make it for this signature. */
export const isOurEdge = (handle: number, options: DsmarkOptions | undefined, signature: number): boolean =>
  handle === EDGE_HANDLE &&
  options?.indices === INDICES &&
  options.defaultIndex === defaultSlotOf(signature) &&
  options.setTcIndex;

/** The root, unless it is there, and its indices. Whatever an index of no code point does, is undone. */
export function edgeCommands(device: string, signature: number, found: ObservedEdge | undefined): readonly string[] {
  const index = (at: number): string => `${EDGE_MAJOR}:${at.toString(16)}`;
  const surplus = [...(found?.marks.keys() ?? [])].filter((at) => !MARKS.has(at));
  const wanted = [...MARKS].filter(([at, mark]) => !sameMark(mark, found?.marks.get(at) ?? UNTOUCHED));
  return [
    ...(found === undefined ? [rootCommand(device, signature)] : []),
    ...surplus.map((at) => `class del dev ${device} classid ${index(at)}`),
    ...wanted.map(
      ([at, { mask, value }]) =>
        `class change dev ${device} classid ${index(at)} dsmark mask ${hex(mask)} value ${hex(value)}`,
    ),
  ];
}

const isOurFilter = ({ kind, protocol, handle }: ObservedFilter): boolean =>
  kind === "tcindex" && protocol === ETH_P_ALL && handle === 0;

/**
 * The filter has no entry: what falls through becomes the class of that number. An entry would hold its class against
 * deletion, and changes of entries are where tcindex was at fault (CVE-2023-1281). So it is made once, and made anew
 * where it is not as wanted.
 */
export function filterCommands(device: string, found: ObservedEdge | undefined): readonly string[] {
  const at = `dev ${device} parent 1:`;
  const present = (found?.filters ?? []).filter(({ priority }) => priority === PRIORITY);
  if (present.length === 1 && present.every(isOurFilter)) return [];
  return [
    ...(present.length > 0 ? [`filter del ${at} prio ${PRIORITY}`] : []),
    `filter add ${at} protocol all prio ${PRIORITY} ` +
      `tcindex hash ${CLASS_VALUES} mask ${hex(CLASS_MASK)} shift ${CLASS_SHIFT} fall_through`,
  ];
}

/** What is found once all was made as wanted. */
export const MADE_EDGE: ObservedEdge = {
  marks: MARKS,
  filters: [{ kind: "tcindex", priority: PRIORITY, protocol: ETH_P_ALL, handle: 0 }],
};
