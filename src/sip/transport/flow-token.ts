/**
 * Flow tokens (RFC 5626 §5.2): what stands for an open connection in the user part of this proxy's own URIs, so that a
 * request that comes back with one finds the connection. 12 octets that name the connection and 10 of their HMAC: who was
 * not given the token cannot make one, and who changes it is told so.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { FlowId } from "./transport.js";

const ID_OCTETS = 12;
/** HMAC-SHA-256 cut to 80 bits, the length of §5.2's own example. */
const MAC_OCTETS = 10;
const ID = new RegExp(`^[0-9a-f]{${ID_OCTETS * 2}}$`);
/** base64url of 22 octets, after a letter that keeps it apart from users' names. */
const TOKEN = /^~([A-Za-z0-9_-]{30})$/;

/** A name that no other connection has or had. */
export const newFlowId = (random: (octets: number) => Buffer = randomBytes): FlowId =>
  random(ID_OCTETS).toString("hex");

export type TokenReading =
  | { readonly kind: "flow"; readonly flow: FlowId }
  /** Shaped as a token, but not made here, or made before a restart. */
  | { readonly kind: "forged" }
  /** Any other user part. */
  | { readonly kind: "none" };

export class FlowTokens {
  private readonly key: Buffer;

  /** @param key - 20 octets or more; a new one makes all former tokens void, as their connections are */
  constructor(key: Buffer = randomBytes(32)) {
    this.key = key;
  }

  /** A user part of 31 characters, none of which needs an escape. */
  make(flow: FlowId): string {
    const id = Buffer.from(flow, "hex");
    return `~${Buffer.concat([id, this.mac(id)]).toString("base64url")}`;
  }

  read(user: string | undefined): TokenReading {
    const text = TOKEN.exec(user ?? "")?.[1];
    if (text === undefined) return { kind: "none" };
    const octets = Buffer.from(text, "base64url");
    // The last character has bits that nothing is decoded from.
    if (octets.toString("base64url") !== text) return { kind: "forged" };
    const [id, mac] = [octets.subarray(0, ID_OCTETS), octets.subarray(ID_OCTETS)];
    if (mac.length !== MAC_OCTETS || !timingSafeEqual(mac, this.mac(id))) return { kind: "forged" };
    const flow = id.toString("hex");
    return ID.test(flow) ? { kind: "flow", flow } : { kind: "forged" };
  }

  private mac(id: Buffer): Buffer {
    return createHmac("sha256", this.key).update(id).digest().subarray(0, MAC_OCTETS);
  }
}
