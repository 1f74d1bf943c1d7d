/** Where a user can be reached, as its agent said in REGISTER (RFC 3261 §10, RFC 5626 §6). Values. */
import type { Timestamp } from "../../model/units.js";
import type { Destination, LocalPoint } from "../transport/transport.js";

/** `user@domain`: user unescaped, domain in lower case (§10.3 step 5). */
export type AddressOfRecord = string & { readonly __aor: true };

/** The agent instance of RFC 5626 §4.1, as in `+sip.instance`, without quotes and brackets. */
export type InstanceId = string;

/** The way on which a REGISTER came. Without a connection the agent is reached where it came from, or where it says. */
export interface Arrived extends Destination {
  /** The address of this proxy that it came to. */
  readonly local: LocalPoint;
  /** Other proxies lie between the agent and here: only its Contact says where it is. */
  readonly relayed?: true;
}

export interface Binding {
  readonly aor: AddressOfRecord;
  /** The Contact's URI as written. */
  readonly contact: string;
  /** 0 to 1000: thousandths. */
  readonly q: number;
  readonly expires: Timestamp;
  /** When the agent first said it. */
  readonly since: Timestamp;
  /** When it last said so. */
  readonly updated: Timestamp;
  readonly callId: string;
  readonly cseq: number;
  readonly instance?: InstanceId;
  readonly regId?: number;
  readonly arrived: Arrived;
  readonly agent?: string;
}

/** One agent, whatever connection it has now: its instance, or without one its Contact. */
export const agentNameOf = ({ instance, contact }: Pick<Binding, "instance" | "contact">): string =>
  instance ?? contact;
