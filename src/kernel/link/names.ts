/** What the tunnels of one table are known by, so that each of their objects can be told from others'. Pure. */
import { createHash } from "node:crypto";
import { addressToBytes } from "../../model/ip.js";
import type { Tunnel, TunnelId } from "../port.js";

export const isTunnelId = (id: number): boolean => Number.isInteger(id) && id >= 1 && id <= 255;

/** What one table's tunnels are known by. */
export class TunnelNames {
  readonly #prefix: string;
  readonly #firstTable: number;
  readonly #alias: string;

  constructor(table: string) {
    const digest = createHash("sha256").update(`tunnels of ${table}`).digest();
    this.#prefix = `sl${digest.toString("hex", 0, 3)}t`;
    this.#firstTable = (0x53000000 | (digest.readUInt16BE(3) << 8)) >>> 0;
    this.#alias = `sluice:${table}:`;
  }

  device(id: TunnelId): string {
    return `${this.#prefix}${id}`;
  }

  /** Undefined for a device that is not ours. */
  idOfDevice(name: string): TunnelId | undefined {
    const id = name.startsWith(this.#prefix) ? Number(name.slice(this.#prefix.length)) : Number.NaN;
    return isTunnelId(id) && name === this.device(id) ? id : undefined;
  }

  routeTable(id: TunnelId): number {
    return this.#firstTable + id;
  }

  idOfRouteTable(number: number): TunnelId | undefined {
    const id = number - this.#firstTable;
    return isTunnelId(id) ? id : undefined;
  }

  alias(tunnel: Tunnel): string {
    return `${this.#alias}${tunnel.id}:${encodeURIComponent(tunnel.name)}`;
  }

  nameOfAlias(alias: string, id: TunnelId): string | undefined {
    const prefix = `${this.#alias}${id}:`;
    if (!alias.startsWith(prefix)) return undefined;
    try {
      return decodeURIComponent(alias.slice(prefix.length));
    } catch {
      return undefined;
    }
  }
}

/** Locally administered, and the same seen from both ends: nobody has to ask for it. */
export function macOf(address: string, id: TunnelId): string {
  const digest = createHash("sha256")
    .update(addressToBytes(address))
    .update(Buffer.from([id]))
    .digest();
  return ["02", ...Array.from(digest.subarray(0, 5), (octet) => octet.toString(16).padStart(2, "0"))].join(":");
}
