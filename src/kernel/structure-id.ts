/** Names the part of the desired state that the static structure is made from, so that a restart can tell whether it fits. */
import { createHash } from "node:crypto";
import type { Octets } from "../model/units.js";
import type { DesiredState, ManagedInterface, SignallingMatch } from "./port.js";

/** Raised whenever the same state makes other rules: what an older Sluice left is then brought up to date in place. */
const REVISION = 5;

const matchText = (match: SignallingMatch): string =>
  `${match.protocol} ${match.port} ${[...match.servers].sort().join(",")}`;

/** How packets are counted beyond the overhead, by these separators; nothing where nothing is said. */
export function accountingText(
  { mpu = 0 as Octets, linkLayer = "ethernet" }: ManagedInterface,
  separator: string,
): string {
  if (mpu === 0 && linkLayer === "ethernet") return "";
  return `${separator}${mpu}${separator}${linkLayer}`;
}

export const interfaceText = (link: ManagedInterface): string =>
  `${link.name} ${link.rate} ${link.overhead} ${link.signallingRate}${accountingText(link, " ")}`;

/**
 * 16 hexadecimal digits; equal for states whose interfaces, signalling and numbers of tunnels are equal, in any order: what
 * else a tunnel is does not show in the rules.
 */
export function structureId(
  desired: Pick<DesiredState, "interfaces" | "signalling" | "signallingDscp" | "tunnels">,
): string {
  const text = [
    `${REVISION}`,
    ...desired.interfaces.map(interfaceText).sort(),
    "",
    ...desired.signalling.map(matchText).sort(),
    `${desired.signallingDscp}`,
    [...desired.tunnels.keys()].sort((left, right) => left - right).join(","),
  ].join("\n");
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
