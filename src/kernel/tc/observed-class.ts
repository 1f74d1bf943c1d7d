/** An HTB class in the words of the port. Pure. */
import { toBitsPerSecond } from "../../model/units.js";
import type { ObservedClass } from "../port.js";
import { minorOf } from "./difference.js";
import type { ObservedHtbClass } from "./observed.js";
import { CLASS, poolOfMinor } from "./tree.js";

/** Undefined for a class that is none of ours. */
export function observedClass(name: string, entry: ObservedHtbClass): ObservedClass | undefined {
  const minor = minorOf(entry.handle);
  const common = {
    interface: name,
    rate: toBitsPerSecond(entry.rate),
    ceil: toBitsPerSecond(entry.ceil),
    sent: { packets: entry.packets, octets: entry.octets },
    dropped: entry.dropped,
    backlog: entry.backlog,
  };
  if (minor === CLASS.link) return { ...common, kind: "link" };
  if (minor === CLASS.signalling) return { ...common, kind: "signalling" };
  if (minor === CLASS.default) return { ...common, kind: "default" };
  const pool = poolOfMinor(minor);
  return pool === undefined ? undefined : { ...common, kind: "pool", pool };
}
