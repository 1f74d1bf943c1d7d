/** STYLE and the flow descriptor list, RFC 2205 §3.1.4: objects <-> values. */
import { STYLE_OPTIONS } from "./codes.js";
import { malformed, misplaced, missingObject, unknownStyle } from "./errors.js";
import { IntServFault, readFlowspec, writeFlowspec } from "./intserv.js";
import type { ErroredFlows, FixedFilter, FlowDescriptors, TornFlows } from "./message.js";
import type { PlacedObject } from "./object.js";
import type { ObjectBag } from "./object-bag.js";
import { OBJECTS, type RsvpObject } from "./object-table.js";
import type { FilterSpec, Flowspec, OpaqueFlowspec, Style } from "./objects.js";
import { asTrafficControl, filterObject } from "./sender-objects.js";

/** A FLOWSPEC still unread, or a FILTER_SPEC, in the order of the wire. */
type FlowItem =
  | { readonly kind: "flowspec"; readonly octets: Buffer; readonly offset: number }
  | { readonly kind: "filter"; readonly filter: FilterSpec };

/** RFC 2205 §A.7: options beyond the five low bits are ignored. */
const STYLE_MASK = 0b11111;
const STYLES = new Map<number, Style>(Object.entries(STYLE_OPTIONS).map(([style, bits]) => [bits, style as Style]));

/** @throws RsvpDecodeError, with an answer for an unknown style or a FLOWSPEC that cannot be served */
export function flowsOf(bag: ObjectBag): FlowDescriptors {
  const style = needStyle(bag);
  const items = flowItems(bag);
  switch (style) {
    case "WF": {
      const [first, ...more] = items;
      if (first?.kind !== "flowspec" || more.length > 0) throw badList(style, bag);
      return { style, flowspec: flowspecOf(first) };
    }
    case "SE": {
      const [first, ...rest] = items;
      const filters = filtersOf(rest);
      if (first?.kind !== "flowspec" || filters.length === 0 || filters.length < rest.length) throw badList(style, bag);
      return { style, flowspec: flowspecOf(first), filters };
    }
    case "FF":
      return { style, flows: fixedFilters(items, bag) };
  }
}

/** A FLOWSPEC that is left out is that of the descriptor before (RFC 2205 §3.1.4). */
function fixedFilters(items: readonly FlowItem[], bag: ObjectBag): FixedFilter[] {
  const flows: FixedFilter[] = [];
  let flowspec: Flowspec | undefined;
  let unused = false;
  for (const item of items) {
    if (item.kind === "flowspec") {
      if (unused) throw badList("FF", bag);
      flowspec = flowspecOf(item);
      unused = true;
    } else {
      if (flowspec === undefined) throw badList("FF", bag);
      flows.push({ filter: item.filter, flowspec });
      unused = false;
    }
  }
  if (unused || flows.length === 0) throw badList("FF", bag);
  return flows;
}

/** RFC 2205 §3.1.6: FLOWSPECs are ignored. @throws RsvpDecodeError */
export function tornFlowsOf(bag: ObjectBag): TornFlows {
  const style = needStyle(bag);
  const filters = filtersOf(flowItems(bag));
  if (style === "WF") {
    if (filters.length > 0) throw badList(style, bag);
    return { style };
  }
  if (filters.length === 0) throw badList(style, bag);
  return { style, filters };
}

/**
 * The descriptor of an error message: whatever can be read of it. Of an FF list with several descriptors it
 * is the one that has the FLOWSPEC at `culprit`, or the first.
 */
export function erroredFlowsOf(bag: ObjectBag, culprit?: number): ErroredFlows | undefined {
  const option = bag.maybe("style")?.optionVector;
  if (option === undefined) return undefined;
  const style = STYLES.get(option & STYLE_MASK);
  if (style === undefined) return { style: "unknown", optionVector: option };
  const items = style === "FF" ? oneFixedFilter(flowItems(bag), culprit) : flowItems(bag);
  const found = items.find((item) => item.kind === "flowspec");
  const flowspec = found === undefined ? {} : { flowspec: anyFlowspecOf(found.octets) };
  return style === "WF" ? { style, ...flowspec } : { style, ...flowspec, filters: filtersOf(items) };
}

function oneFixedFilter(items: readonly FlowItem[], culprit: number | undefined): FlowItem[] {
  const found = items.findIndex((item) => item.kind === "flowspec" && item.offset === culprit);
  const rest = items.slice(Math.max(found, 0));
  const flowspec = rest.find((item) => item.kind === "flowspec");
  const filter = rest.find((item) => item.kind === "filter");
  return [flowspec, filter].filter((item) => item !== undefined);
}

/** What a FLOWSPEC says, or the FLOWSPEC as it is if that is not known here. */
function anyFlowspecOf(octets: Buffer): Flowspec | OpaqueFlowspec {
  try {
    return readFlowspec(octets);
  } catch (error) {
    if (!(error instanceof IntServFault)) throw error;
    return { kind: "opaque", contents: Buffer.from(octets) };
  }
}

function flowspecOf(item: { readonly octets: Buffer; readonly offset: number }): Flowspec {
  return asTrafficControl("badFlowspec", item.offset, () => readFlowspec(item.octets));
}

function needStyle(bag: ObjectBag): Style {
  const value = bag.maybe("style");
  if (value === undefined) throw missingObject("STYLE");
  const style = STYLES.get(value.optionVector & STYLE_MASK);
  if (style === undefined) throw unknownStyle(value.optionVector, bag.place("style"));
  return style;
}

/** @throws RsvpDecodeError if a part of the list comes before the STYLE */
function flowItems(bag: ObjectBag): FlowItem[] {
  const start = bag.place("style");
  return bag.objects.flatMap((object) => {
    const item = flowItem(object);
    if (item === undefined) return [];
    if (object.offset < start) {
      const { title } = OBJECTS[object.name];
      throw misplaced(`${title} before STYLE`, { offset: object.offset, object: title });
    }
    return [item];
  });
}

function flowItem(object: PlacedObject): FlowItem | undefined {
  switch (object.name) {
    case "flowspec":
      return { kind: "flowspec", octets: object.value.octets, offset: object.offset };
    case "filterSpec":
    case "aggregateFilterSpec":
      return { kind: "filter", filter: object.value };
    default:
      return undefined;
  }
}

const filtersOf = (items: readonly FlowItem[]): FilterSpec[] =>
  items.flatMap((item) => (item.kind === "filter" ? [item.filter] : []));

function badList(style: Style, bag: ObjectBag) {
  return malformed(`flow descriptor list is none of style ${style}`, { offset: bag.place("style"), object: "STYLE" });
}

export function flowObjects(flows: FlowDescriptors): RsvpObject[] {
  switch (flows.style) {
    case "WF":
      return [styleObject("WF"), flowspecObject(flows.flowspec)];
    case "SE":
      return [styleObject("SE"), flowspecObject(flows.flowspec), ...flows.filters.map(filterObject)];
    case "FF": {
      const objects = [styleObject("FF")];
      let before: Buffer | undefined;
      for (const { filter, flowspec } of flows.flows) {
        const octets = writeFlowspec(flowspec);
        if (before?.equals(octets) !== true) objects.push({ name: "flowspec", value: { octets } });
        objects.push(filterObject(filter));
        before = octets;
      }
      return objects;
    }
  }
}

export function tornFlowObjects(flows: TornFlows): RsvpObject[] {
  return [styleObject(flows.style), ...(flows.style === "WF" ? [] : flows.filters.map(filterObject))];
}

export function erroredFlowObjects(flows: ErroredFlows): RsvpObject[] {
  if (flows.style === "unknown") return [{ name: "style", value: { flags: 0, optionVector: flows.optionVector } }];
  const flowspec = flows.flowspec === undefined ? [] : [anyFlowspecObject(flows.flowspec)];
  return [styleObject(flows.style), ...flowspec, ...(flows.style === "WF" ? [] : flows.filters.map(filterObject))];
}

const styleObject = (style: Style): RsvpObject => ({
  name: "style",
  value: { flags: 0, optionVector: STYLE_OPTIONS[style] },
});

const flowspecObject = (flowspec: Flowspec): RsvpObject => ({
  name: "flowspec",
  value: { octets: writeFlowspec(flowspec) },
});

function anyFlowspecObject(flowspec: Flowspec | OpaqueFlowspec): RsvpObject {
  if (flowspec.kind !== "opaque") return flowspecObject(flowspec);
  return { name: "flowspec", value: { octets: flowspec.contents } };
}
