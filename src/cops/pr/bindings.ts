/** Sub-objects grouped as RFC 3084 §5 groups them: bindings, removals, reports. */
import type { CodeAndSubCode } from "../codec/errors.js";
import type { BerValue } from "./ber.js";
import { malformed } from "./errors.js";
import type { Oid, Prid } from "./oid.js";
import { decodePrObjects, encodePrObject, encodePrObjects, type PrObject } from "./sub-object.js";

/** An instance and its attributes, RFC 3084 §4. No values in a request stand for "no longer there" (RFC 3318 §2.3.4). */
export interface Binding {
  readonly prid: Prid;
  readonly values: readonly BerValue[];
}

/** What a Remove names: one instance, or everything under a prefix (RFC 3084 §4.2). */
export type Removal = { readonly prid: Prid } | { readonly prefix: Oid };

/** RFC 3084 §5.3.1. In a Success report the errors are warnings. */
export interface PrReport {
  readonly gperr?: CodeAndSubCode;
  readonly errors: readonly PrReportError[];
}

export interface PrReportError {
  readonly prid: Prid;
  readonly cperr: CodeAndSubCode;
  readonly bindings: readonly Binding[];
}

const bindingObjects = ({ prid, values }: Binding): PrObject[] => [
  { kind: "prid", prid },
  { kind: "epd", values },
];

/** Named ClientSI or Named Decision Data of an Install: (PRID EPD)*. */
export const encodeBindings = (bindings: readonly Binding[]): Buffer =>
  encodePrObjects(bindings.flatMap(bindingObjects));

export const encodeRemovals = (removals: readonly Removal[]): Buffer =>
  encodePrObjects(
    removals.map((removal) =>
      "prid" in removal ? { kind: "prid", prid: removal.prid } : { kind: "pprid", prefix: removal.prefix },
    ),
  );

/** @throws PrDecodeError with the GPERR to report */
export function decodeBindings(named: Buffer): Binding[] {
  return pairBindings(decodePrObjects(named));
}

function pairBindings(objects: readonly PrObject[]): Binding[] {
  const bindings: Binding[] = [];
  for (let index = 0; index < objects.length; index += 2) {
    const prid = objects[index];
    const epd = objects[index + 1];
    // RFC 3084 §5.1: a prefix is illegal in an Install, and every PRID has its EPD.
    if (prid?.kind !== "prid" || epd?.kind !== "epd") throw malformed("expected PRID and EPD in turn", "binding");
    bindings.push({ prid: prid.prid, values: epd.values });
  }
  return bindings;
}

/** @throws PrDecodeError with the GPERR to report */
export function decodeRemovals(named: Buffer): Removal[] {
  return decodePrObjects(named).map((object) => {
    if (object.kind === "prid") return { prid: object.prid };
    if (object.kind === "pprid") return { prefix: object.prefix };
    // RFC 3084 §5.1: an EPD has no place in a Remove.
    throw malformed(`${object.kind} in a Remove`, "removal");
  });
}

/** The Named ClientSI of a Success or Failure report; none if there is nothing to say. */
export function encodeReport(report: PrReport): Buffer[] {
  const objects: PrObject[] = report.gperr === undefined ? [] : [{ kind: "gperr", error: report.gperr }];
  for (const { prid, cperr, bindings } of report.errors) {
    objects.push({ kind: "errorPrid", prid }, { kind: "cperr", error: cperr }, ...bindings.flatMap(bindingObjects));
  }
  return packObjects(objects.map(encodePrObject));
}

/** Reads all Named ClientSI of a report as one. @throws PrDecodeError */
export function decodeReport(named: readonly Buffer[]): PrReport {
  let gperr: CodeAndSubCode | undefined;
  const errors: { prid: Prid; cperr: CodeAndSubCode; bindings: Binding[] }[] = [];
  const objects = named.flatMap(decodePrObjects);
  for (let index = 0; index < objects.length; index += 1) {
    const object = objects[index];
    const next = objects[index + 1];
    if (object?.kind === "gperr" && index === 0) gperr = object.error;
    else if (object?.kind === "errorPrid" && next?.kind === "cperr") {
      errors.push({ prid: object.prid, cperr: next.error, bindings: [] });
      index += 1;
    } else if (object?.kind === "prid" && next?.kind === "epd" && errors.length > 0) {
      errors.at(-1)?.bindings.push({ prid: object.prid, values: next.values });
      index += 1;
    } else throw malformed(`${object?.kind} out of place in a report`, "report");
  }
  return { ...(gperr === undefined ? {} : { gperr }), errors };
}

/** Named ClientSI of a request or an accounting report, as many objects as the bindings need. */
export const encodeClientSi = (bindings: readonly Binding[]): Buffer[] =>
  packObjects(bindings.map((binding) => encodeBindings([binding])));

/** All bindings of a request or an accounting report. @throws PrDecodeError */
export const decodeClientSi = (named: readonly Buffer[]): Binding[] => pairBindings(named.flatMap(decodePrObjects));

/**
 * Some deployed peers read object lengths as signed: no object is made longer than this, unless one
 * item alone is.
 */
const COMFORTABLE_OBJECT = 0x7000;

/** Fills objects with whole items, in order. */
export function packObjects(items: readonly Buffer[]): Buffer[] {
  const packed: Buffer[] = [];
  let current: Buffer[] = [];
  let size = 0;
  for (const item of items) {
    if (size > 0 && size + item.length > COMFORTABLE_OBJECT) {
      packed.push(Buffer.concat(current));
      current = [];
      size = 0;
    }
    current.push(item);
    size += item.length;
  }
  if (size > 0) packed.push(Buffer.concat(current));
  return packed;
}
