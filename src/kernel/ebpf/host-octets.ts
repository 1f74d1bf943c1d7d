/** Words in the machine's own order, as the program reads them in its maps. */
import { endianness } from "node:os";

export const LITTLE = endianness() === "LE";
const TWO_TO_32 = 0x1_0000_0000;

export const viewOf = (octets: Uint8Array): DataView =>
  new DataView(octets.buffer, octets.byteOffset, octets.byteLength);

/** Exact to 2^53. */
export function u64At(view: DataView, at: number): number {
  const [high, low] = LITTLE ? [at + 4, at] : [at, at + 4];
  return view.getUint32(high, LITTLE) * TWO_TO_32 + view.getUint32(low, LITTLE);
}

export function putU64(view: DataView, at: number, value: number): void {
  const [high, low] = LITTLE ? [at + 4, at] : [at, at + 4];
  view.setUint32(high, Math.floor(value / TWO_TO_32), LITTLE);
  view.setUint32(low, value % TWO_TO_32, LITTLE);
}

/** The key of an entry of an array. */
export function indexKey(index: number): Uint8Array {
  const key = new Uint8Array(4);
  viewOf(key).setUint32(0, index, LITTLE);
  return key;
}
