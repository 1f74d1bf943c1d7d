/** Names the part of the desired state that the static structure is made from, so that a restart can tell whether it fits. */
import { createHash } from "node:crypto";
import type { Octets } from "../model/units.js";
import { carrySetsOf } from "./nft/carry-sets.js";
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

/** The maps that pools with aggregates need: another pool in the same maps makes no other rules. */
export const carryText = ({ pools, interfaces }: Pick<DesiredState, "interfaces" | "pools">): string =>
  carrySetsOf(pools.values(), interfaces)
    .map(({ name }) => name)
    .join(",");

const optional = (name: string, value: string): readonly string[] => (value === "" ? [] : [`${name} ${value}`]);

/**
 * 16 hexadecimal digits; equal for states whose interfaces, signalling, numbers of tunnels and maps of aggregates are
 * equal, in any order: what else a tunnel or a pool is does not show in the rules.
 */
export function structureId(
  desired: Pick<DesiredState, "interfaces" | "signalling" | "signallingDscp" | "rsvp" | "tunnels" | "pools">,
): string {
  const text = [
    `${REVISION}`,
    ...desired.interfaces.map(interfaceText).sort(),
    "",
    ...desired.signalling.map(matchText).sort(),
    `${desired.signallingDscp}`,
    [...desired.tunnels.keys()].sort((left, right) => left - right).join(","),
    ...optional("rsvp", desired.rsvp === true ? "signalling" : ""),
    ...optional("carry", carryText(desired)),
  ].join("\n");
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
