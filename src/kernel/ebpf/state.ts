/**
 * What has no place in a packet's way but must outlive the router: whose the maps are, and what they were made for. One value
 * of one entry, so that a reading sees all of an earlier writing or all of a later one.
 */
import { KernelError } from "../../model/errors.js";
import { bitsPerSecond, octets as toOctets } from "../../model/units.js";
import type { LinkLayer, ManagedInterface, PoolClass } from "../port.js";
import type { MapShape } from "./bpf-map.js";
import { LITTLE, viewOf } from "./host-octets.js";

/** Raised when keys or values of the maps mean something else: flows of another layout cannot be read. */
export const LAYOUT = 1;
/** Room for some seven thousand pools. */
const STATE_LENGTH = 262_144;
const HEADER = 4;
const LINK_LAYERS: readonly LinkLayer[] = ["ethernet", "atm", "adsl"];

export const STATE_SHAPE: MapShape = {
  name: "sluice_state",
  type: "array",
  keyLength: 4,
  valueLength: STATE_LENGTH,
  maxEntries: 1,
};

export interface TableState {
  /** Name of the table that it belongs to. */
  readonly owner: string;
  readonly layout: number;
  readonly structureId: string;
  /** Digest of servers and settings as they were made. */
  readonly seal: string;
  readonly interfaces: readonly ManagedInterface[];
  readonly pools: readonly PoolClass[];
}

/** A length, then JSON. @throws KernelError KERNEL_LIMIT where it does not fit. */
export function encodeState(state: TableState): Uint8Array {
  const text = Buffer.from(JSON.stringify(state));
  if (text.length > STATE_LENGTH - HEADER) {
    const detail = { operation: `note ${state.pools.length} pools`, errno: "E2BIG" };
    throw new KernelError("KERNEL_LIMIT", "there are more pools than the eBPF back end can note", detail, {
      remedy: "have fewer pools or shorter names, or use the nftables back end",
    });
  }
  const octets = new Uint8Array(STATE_LENGTH);
  viewOf(octets).setUint32(0, text.length, LITTLE);
  octets.set(text, HEADER);
  return octets;
}

/** Undefined where nothing was written yet, or something else than we write. */
export function decodeState(octets: Uint8Array): TableState | undefined {
  const length = octets.length < HEADER ? 0 : viewOf(octets).getUint32(0, LITTLE);
  if (length === 0 || length > octets.length - HEADER) return undefined;
  try {
    return stateOf(JSON.parse(Buffer.from(octets.subarray(HEADER, HEADER + length)).toString()));
  } catch {
    return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;
const listOf = (value: unknown): readonly Fields[] | undefined =>
  Array.isArray(value) && value.every(isFields) ? value : undefined;

/** @throws Error for numbers that are no rate or length. */
function stateOf(value: unknown): TableState | undefined {
  if (!isFields(value)) return undefined;
  const { owner, layout, structureId, seal } = value;
  const interfaces = listOf(value.interfaces);
  const pools = listOf(value.pools);
  if (typeof owner !== "string" || typeof layout !== "number" || interfaces === undefined || pools === undefined)
    return undefined;
  if (typeof structureId !== "string" || typeof seal !== "string") return undefined;
  return { owner, layout, structureId, seal, interfaces: interfaces.map(interfaceOf), pools: pools.map(poolOf) };
}

function interfaceOf({ name, rate, overhead, mpu, linkLayer, signallingRate }: Fields): ManagedInterface {
  const link = {
    name: String(name),
    rate: bitsPerSecond(Number(rate)),
    overhead: toOctets(Number(overhead)),
    signallingRate: bitsPerSecond(Number(signallingRate)),
  };
  const layer = LINK_LAYERS.find((known) => known === linkLayer);
  return {
    ...link,
    ...(mpu === undefined ? {} : { mpu: toOctets(Number(mpu)) }),
    ...(layer === undefined ? {} : { linkLayer: layer }),
  };
}

const poolOf = ({ id, name, rate, only }: Fields): PoolClass => ({
  id: Number(id),
  name: String(name),
  rate: bitsPerSecond(Number(rate)),
  ...(only === undefined ? {} : { only: String(only) }),
});
