/** What the program does with signalling and with excess, and whose program it is. Pure. */
import { createHash } from "node:crypto";
import type { Dscp } from "../../model/units.js";
import type { DesiredState } from "../port.js";
import { CLASS } from "../tc/tree.js";
import { encodeServerKey, type Server } from "./flow-key.js";
import { classIdOf } from "./flow-value.js";
import { LITTLE, viewOf } from "./host-octets.js";

const SETTINGS_LENGTH = 32;
const AT = { signallingClass: 0, defaultClass: 4, signallingDscp: 8, owner: 16 } as const;
const MARK_LENGTH = 16;

/** The program does not read it: it tells the maps of one table from those of another, also where the anchor is gone. */
const ownerMark = (table: string): Uint8Array =>
  createHash("sha256").update(`sluice ${table}`).digest().subarray(0, MARK_LENGTH);

export function encodeSettings(table: string, signallingDscp: Dscp): Uint8Array {
  const octets = new Uint8Array(SETTINGS_LENGTH);
  const view = viewOf(octets);
  view.setUint32(AT.signallingClass, classIdOf(CLASS.signalling), LITTLE);
  view.setUint32(AT.defaultClass, classIdOf(CLASS.default), LITTLE);
  octets[AT.signallingDscp] = signallingDscp;
  octets.set(ownerMark(table), AT.owner);
  return octets;
}

/** Whether settings belong to this table. */
export const isMarked = (settings: Uint8Array, table: string): boolean =>
  Buffer.compare(settings.subarray(AT.owner, AT.owner + MARK_LENGTH), ownerMark(table)) === 0;

/** Each server of each match once, by its key. */
export function serversOf(desired: Pick<DesiredState, "signalling">): ReadonlyMap<string, Server> {
  const servers = desired.signalling.flatMap(({ protocol, port, servers: addresses }) =>
    addresses.map((address): Server => ({ protocol, port, address })),
  );
  return new Map(servers.map((server) => [keyText(encodeServerKey(server)), server]));
}

/** Octets as a map's key. */
export const keyText = (key: Uint8Array): string => Buffer.from(key).toString("latin1");
export const keyOctets = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** What servers and settings look like, so that a change by others is seen. */
export function sealOf(settings: Uint8Array, serverKeys: Iterable<string>): string {
  const hash = createHash("sha256").update(settings);
  for (const key of [...serverKeys].sort()) hash.update(key, "latin1");
  return hash.digest("hex").slice(0, 32);
}
