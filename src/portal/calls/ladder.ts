/** The messages of a session for those who took part: ends by what they are. Addresses of the provider's servers stay inside. */
import type { Timestamp } from "../../model/units.js";
import type { RoleEvent } from "../roles/answers.js";

export interface LadderLine {
  readonly at: Timestamp;
  readonly from: string;
  readonly to: string;
  readonly message: string;
}

export interface ToldEvents {
  /** Who told them. */
  readonly teller: "proxy" | "policy server";
  readonly events: readonly RoleEvent[];
}

/** Both ends of a connection note a message: what the clocks of one site may be apart, ms. */
const SAME_WITHIN = 2000;

/** In the order of time; what both ends of a connection have noted is one line. */
export function ladderOf(told: readonly ToldEvents[]): readonly LadderLine[] {
  const names = namesOf(told);
  const lines = told.flatMap(({ events }) => events).sort((one, other) => one.at - other.at);
  /** When each message was last seen with no other end's note yet, by what it says and who noted it. */
  const single = new Map<string, Timestamp[]>();
  return lines.flatMap((event) => {
    const { at, from, to, message, protocol, action } = event;
    const what = [protocol, message, from, to].join("\0");
    const opposite = single.get(`${what}\0${action === "sent" ? "received" : "sent"}`);
    const first = opposite?.shift();
    if (first !== undefined && at - first <= SAME_WITHIN) return [];
    const key = `${what}\0${action}`;
    single.set(key, [...(single.get(key) ?? []).slice(-16), at]);
    return [{ at, from: names.get(from) ?? "other", to: names.get(to) ?? "other", message }];
  });
}

/** By address: our own ends are known, the others show by what they say. */
function namesOf(told: readonly ToldEvents[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const name = (address: string, is: string): void => {
    if (!names.has(address)) names.set(address, is);
  };
  for (const { teller, events } of told) {
    for (const { action, from, to } of events) name(action === "sent" ? from : to, teller);
  }
  for (const { events } of told) {
    for (const { protocol, message, action, from, to } of events) {
      const other = action === "sent" ? to : from;
      if (protocol === "OSP") name(other, "clearinghouse");
      else if (protocol === "COPS") name(other, "router");
      // Whoever an INVITE comes from is on the caller's side.
      else if (protocol === "SIP" && message === "INVITE") name(other, action === "received" ? "caller" : "callee");
    }
  }
  return names;
}
