/** What a router says of itself in its request: RFC 3318 §2.3, the full state of one request. */
import type { Binding } from "../../cops/pr/bindings.js";
import { ALL_CLASSES, pib } from "../../cops/pr/pib/index.js";
import { attributesInOrder, encodeRow, type Prc } from "../../cops/pr/prc.js";

export interface RouterIdentity {
  readonly name: string;
  /** Largest COPS message that we take, octets. */
  readonly maxMessage: number;
}

/** The classes that a policy server may install here. */
export const INSTALLABLE: readonly Prc[] = ALL_CLASSES.filter(
  ({ access }) => access === "install" || access === "install-notify",
);

/** What not every router can do. */
export interface RouterAbilities {
  /** It reserves aggregates. */
  readonly aggregates: boolean;
  /** It steers flows into tunnels. */
  readonly tunnels: boolean;
  /** It measures paths to other edges. */
  readonly probes: boolean;
}

export function installable({ aggregates, tunnels, probes }: RouterAbilities): readonly Prc[] {
  const without = [
    ...(aggregates ? [] : [pib.sluiceAggregate]),
    ...(tunnels ? [] : [pib.sluiceTunnel]),
    ...(probes ? [] : [pib.sluiceProbe]),
  ];
  const entries = new Set(without.map(({ entry }) => entry));
  return INSTALLABLE.filter(({ entry }) => !entries.has(entry));
}

export function capabilityBindings(
  { name, maxMessage }: RouterIdentity,
  abilities: RouterAbilities,
): readonly Binding[] {
  const reported = [
    pib.sluiceUsage,
    pib.sluiceInterim,
    ...(abilities.aggregates ? [pib.sluiceAggregateState] : []),
    ...(abilities.probes ? [pib.sluicePathQuality] : []),
  ];
  const supported = [...installable(abilities), ...reported];
  return [
    ...supported.map((prc, index) =>
      encodeRow(pib.frwkPrcSupport, index + 1, { supportedPrc: prc.entry, supportedAttrs: attributeBits(prc) }),
    ),
    encodeRow(pib.frwkDeviceId, 1, { descr: name, maxMsg: maxMessage, maxContexts: 1 }),
    encodeRow(pib.frwkPibIncarnation, 1, {
      name,
      id: Buffer.alloc(0),
      // What is installed stays in force without a policy server: calls outlive its restart.
      longevity: "expireNever",
      ttl: null,
      inCtxtSet: true,
      active: true,
      fullState: true,
    }),
  ];
}

/** One bit per attribute, number 1 in the highest bit of the first octet (RFC 3318 frwkPrcSupportSupportedAttrs). */
function attributeBits(prc: Prc): Buffer {
  const last = Math.max(0, ...attributesInOrder(prc).map(([, { number }]) => number));
  const bits = Buffer.alloc(Math.ceil(last / 8));
  for (let number = 1; number <= last; number++) {
    const octet = (number - 1) >> 3;
    bits.writeUInt8(bits.readUInt8(octet) | (0x80 >> ((number - 1) & 7)), octet);
  }
  return bits;
}
