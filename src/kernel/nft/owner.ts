/**
 * The comment of a flow's elements: `nft list` shows whose they are, and after a restart it tells what the kernel has no
 * field for. `sluice:<session>:<flow>`, and where the packet size is known `:<packet size>:<octets per second>:<burst>`,
 * since a limit by packets is rounded. Pure.
 */
import { parseSessionId, type SessionId } from "../../model/session.js";
import { type Octets, octets, toBytesPerSecond } from "../../model/units.js";
import type { FlowId, FlowRule } from "../port.js";

export interface Traffic {
  readonly packetSize: Octets;
  /** Octets per second. */
  readonly rate: number;
  readonly burst: Octets;
}

export interface Owner {
  readonly session: SessionId;
  readonly id: FlowId;
  readonly traffic?: Traffic;
}

export function ownerComment({ session, id, traffic }: Owner): string {
  const suffix = traffic === undefined ? "" : `:${traffic.packetSize}:${traffic.rate}:${traffic.burst}`;
  return `sluice:${session}:${id}${suffix}`;
}

export function ownerOf({ session, id, packetSize, rate, burst }: FlowRule): Owner {
  if (packetSize === undefined) return { session, id };
  return { session, id, traffic: { packetSize, rate: toBytesPerSecond(rate), burst } };
}

const FORM = /^sluice:([^:]*):([1-9]\d{0,15})(?::(\d{1,5}):(\d{1,11}):(\d{1,10}))?$/;

/** Undefined for a comment that we never make. */
export function parseOwner(comment: string | undefined): Owner | undefined {
  const [, sessionText = "", id, packetSize, rate, burst] = FORM.exec(comment ?? "") ?? [];
  const session = parseSessionId(sessionText);
  if (session === undefined || id === undefined) return undefined;
  const owner = { session, id: Number(id) };
  if (packetSize === undefined || rate === undefined || burst === undefined) return owner;
  const traffic = { packetSize: octets(Number(packetSize)), rate: Number(rate), burst: octets(Number(burst)) };
  return { ...owner, traffic };
}
