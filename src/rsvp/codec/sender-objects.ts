/** SENDER_TEMPLATE, SENDER_TSPEC, ADSPEC and FILTER_SPEC objects <-> values. */
import { readAdspec, writeAdspec } from "./adspec.js";
import type { TRAFFIC_CONTROL } from "./codes.js";
import { missingObject, trafficControl } from "./errors.js";
import { IntServFault, readTspec, writeTspec } from "./intserv.js";
import type { ErroredSender, SenderDescriptor } from "./message.js";
import type { ObjectBag } from "./object-bag.js";
import type { RsvpObject } from "./object-table.js";
import type { Adspec, FilterSpec, SenderTemplate } from "./objects.js";

export function templateOf(bag: ObjectBag): SenderTemplate | undefined {
  return bag.maybe("senderTemplate") ?? bag.maybe("aggregateSenderTemplate");
}

/** @throws RsvpDecodeError with reason `missingObject` */
export function needTemplate(bag: ObjectBag): SenderTemplate {
  const template = templateOf(bag);
  if (template === undefined) throw missingObject("SENDER_TEMPLATE");
  return template;
}

/** @throws RsvpDecodeError, with error 21 for an unreadable TSpec or ADSPEC */
export function senderOf(bag: ObjectBag): SenderDescriptor {
  const template = needTemplate(bag);
  const { octets } = bag.need("senderTspec");
  const tspec = asTrafficControl("badTspec", bag.place("senderTspec"), () => readTspec(octets));
  const adspec = bag.maybe("adspec");
  if (adspec === undefined) return { template, tspec };
  const parsed = asTrafficControl("badAdspec", bag.place("adspec"), () => readAdspec(adspec.octets));
  return { template, tspec, adspec: parsed };
}

/** The sender descriptor of an error message: what cannot be read is left out. */
export function erroredSenderOf(bag: ObjectBag): ErroredSender | undefined {
  const template = templateOf(bag);
  if (template === undefined) return undefined;
  const tspec = ifLegible(bag.maybe("senderTspec")?.octets, readTspec);
  const adspec = ifLegible(bag.maybe("adspec")?.octets, readAdspec);
  return { template, ...(tspec === undefined ? {} : { tspec }), ...(adspec === undefined ? {} : { adspec }) };
}

function ifLegible<Value>(octets: Buffer | undefined, read: (octets: Buffer) => Value): Value | undefined {
  if (octets === undefined) return undefined;
  try {
    return read(octets);
  } catch (error) {
    if (error instanceof IntServFault) return undefined;
    throw error;
  }
}

/** Says a fault inside IntServ data as the error 21 that it means for RSVP. */
export function asTrafficControl<Value>(sub: keyof typeof TRAFFIC_CONTROL, offset: number, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof IntServFault)) throw error;
    const code = error.service === undefined ? sub : "serviceUnsupported";
    throw trafficControl(code, error.message, { offset, object: "IntServ data" });
  }
}

export function senderObjects({ template, tspec, adspec }: ErroredSender): RsvpObject[] {
  return [
    templateObject(template),
    ...(tspec === undefined ? [] : [{ name: "senderTspec", value: { octets: writeTspec(tspec) } } as const]),
    ...(adspec === undefined ? [] : [adspecObject(adspec)]),
  ];
}

const adspecObject = (adspec: Adspec): RsvpObject => ({ name: "adspec", value: { octets: writeAdspec(adspec) } });

export function templateObject({ address, port }: SenderTemplate): RsvpObject {
  if (port === undefined) return { name: "aggregateSenderTemplate", value: { address } };
  return { name: "senderTemplate", value: { address, port } };
}

export function filterObject({ address, port }: FilterSpec): RsvpObject {
  if (port === undefined) return { name: "aggregateFilterSpec", value: { address } };
  return { name: "filterSpec", value: { address, port } };
}
