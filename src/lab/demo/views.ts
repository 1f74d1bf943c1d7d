/** Reads what the roles answer on their control sockets. The demo knows it only from outside, so it checks each field. */
import { SystemError } from "../../model/errors.js";
import type { ClassSnapshot, FlowSnapshot, UsageRecord } from "./evidence.js";

type Item = Readonly<Record<string, unknown>>;

function field(item: unknown, name: string): unknown {
  if (typeof item === "object" && item !== null && name in item) return (item as Item)[name];
  throw new SystemError("LAB_VIEW", `a role's answer has no '${name}'`);
}

function number(item: unknown, name: string): number {
  const value = field(item, name);
  if (typeof value === "number") return value;
  throw new SystemError("LAB_VIEW", `'${name}' in a role's answer is not a number`);
}

const text = (item: unknown, name: string): string => String(field(item, name));

const counter = (item: unknown): { packets: number; octets: number } => ({
  packets: number(item, "packets"),
  octets: number(item, "octets"),
});

export function flowSnapshot(item: Item): FlowSnapshot {
  const counters = field(item, "counters");
  return {
    flow: text(item, "flow"),
    dscp: number(item, "dscp"),
    inProfile: counter(field(counters, "inProfile")),
    outOfProfile: counter(field(counters, "outOfProfile")),
  };
}

/** The classes of one router's `show kernel`. */
export function classSnapshot(item: Item): readonly ClassSnapshot[] {
  const classes = field(item, "classes");
  return (Array.isArray(classes) ? classes : []).map((found: unknown) => ({
    interface: text(found, "interface"),
    kind: text(found, "kind"),
    rate: number(found, "rate"),
    sent: counter(field(found, "sent")),
    dropped: number(found, "dropped"),
  }));
}

export function usageRecord(item: Item): UsageRecord {
  const counters = field(item, "counters");
  const [inProfile, outOfProfile] = [counter(field(counters, "inProfile")), counter(field(counters, "outOfProfile"))];
  return {
    session: text(item, "session"),
    reporter: text(item, "reporter"),
    side: text(item, "side"),
    durationMs: number(item, "duration"),
    octets: inProfile.octets + outOfProfile.octets,
    packets: inProfile.packets + outOfProfile.packets,
    cause: text(item, "cause"),
  };
}

/** What `sluice explain` tells, a line for each step. */
export function explanationLines(item: Item): readonly string[] {
  const steps = field(item, "steps");
  const told = (Array.isArray(steps) ? steps : []).map(
    (step: unknown) => `${text(step, "what")}: ${text(step, "detail")}`,
  );
  return [`outcome: ${text(item, "outcome")}`, ...told];
}
