/** Names the part of the desired state that the static structure is made from, so that a restart can tell whether it fits. */
import { createHash } from "node:crypto";
import type { DesiredState, ManagedInterface, SignallingMatch } from "./port.js";

/** Raised whenever the same state makes other rules: what an older Sluice left is then brought up to date in place. */
const REVISION = 2;

const matchText = (match: SignallingMatch): string =>
  `${match.protocol} ${match.port} ${[...match.servers].sort().join(",")}`;

export const interfaceText = (link: ManagedInterface): string =>
  `${link.name} ${link.rate} ${link.overhead} ${link.signallingRate}`;

/** 16 hexadecimal digits; equal for states whose interfaces and signalling are equal, in any order. */
export function structureId(desired: Pick<DesiredState, "interfaces" | "signalling" | "signallingDscp">): string {
  const text = [
    `${REVISION}`,
    ...desired.interfaces.map(interfaceText).sort(),
    "",
    ...desired.signalling.map(matchText).sort(),
    `${desired.signallingDscp}`,
  ].join("\n");
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
