/**
 * Our own classes, under the enterprise number kept for documentation (RFC 5612), until one is
 * assigned. A PEP that understands them says so in frwkPrcSupport.
 */
import { parseSessionId, type SessionId } from "../../../model/session.js";
import { CPERR } from "../errors.js";
import { ZERO_OID } from "../oid.js";
import { attribute, nullable, optional } from "../prc.js";
import {
  enumerated,
  integer,
  octetString,
  prid,
  type Syntax,
  SyntaxProblem,
  text,
  unsigned32,
  unsigned64,
} from "../syntax.js";
import { baseClass } from "./class.js";

const base = baseClass("1.3.6.1.4.1.32473.1");

const digits = text(16, 16);

const sessionId: Syntax<SessionId> = {
  name: "SessionId",
  encode: (value) => digits.encode(value),
  decode: (value) => {
    const decoded = digits.decode(value);
    if (decoded instanceof SyntaxProblem) return decoded;
    return parseSessionId(decoded) ?? new SyntaxProblem(CPERR.attrValueInvalid, "not 16 hexadecimal digits");
  },
};

const addressFamily = enumerated({ ipv4: 1, ipv6: 2 });
/** 4 or 16 octets, as the row's `addrType` says. */
const address = octetString(4, 16);

/**
 * Ties a flow to its session, so that a router can show whose it is, and says what the DiffServ PIB has no room for.
 * The instance is the flow's number.
 */
export const sluiceSession = base("sluiceSession", "1", "install", {
  session: attribute(2, sessionId),
  clfrElement: attribute(3, prid),
  /**
   * Octets of the flow's largest packet, layer 3; 0 where it is not known. A row without it is a row of the class's
   * first shape, and is understood (RFC 3084 §2.2); a router of that time ignores it with a warning.
   */
  packetSize: optional(4, unsigned32(0, 0xffff), 0),
  /** The sluiceTunnel row that carries the flow's packets from here on; ZERO_OID: none does. */
  tunnel: optional(5, prid, ZERO_OID),
});

/** Says which dsQ is which pool, and the pool's name for operators. */
export const sluicePool = base("sluicePool", "2", "install", {
  name: attribute(2, text(1, 64)),
  queue: attribute(3, prid),
});

/**
 * What a flow carried, in an accounting report: the Feedback PIB's traffic class (RFC 3571) has no room for the
 * difference between in and out of profile. Octets are counted at layer 3. The instance is the flow's number.
 */
export const sluiceUsage = base("sluiceUsage", "3", "report-only", {
  clfrElement: attribute(2, prid),
  inProfilePackets: attribute(3, unsigned64),
  inProfileOctets: attribute(4, unsigned64),
  outOfProfilePackets: attribute(5, unsigned64),
  outOfProfileOctets: attribute(6, unsigned64),
});

/**
 * An aggregate reservation (RFC 3175) that this edge is to make towards another, one for each pool. The instance is the
 * pool's number. Rates are counted at layer 3, in whole kbit/s, rounded up.
 */
export const sluiceAggregate = base("sluiceAggregate", "4", "install", {
  /** The sluicePool row that it is for. */
  pool: attribute(2, prid),
  addrType: attribute(3, addressFamily),
  /** The other edge. */
  remoteAddr: attribute(4, address),
  dscp: attribute(5, integer(0, 63)),
  rate: attribute(6, unsigned32(1)),
  /** Octets. */
  burstSize: attribute(7, unsigned32(1)),
  /** Octets of the largest packet. */
  packetSize: attribute(8, unsigned32(1, 0xffff)),
  /** Tells requests of a pool apart, also those for the same rate: reports name it. */
  request: attribute(9, unsigned32(1)),
  /** The most that this edge reserves where the other wants more than `rate`; 0: it follows nobody. */
  ceiling: optional(10, unsigned32(), 0),
  /** The sluiceTunnel row whose outer flow is reserved for; ZERO_OID: whatever has the code point. */
  tunnel: optional(11, prid, ZERO_OID),
});

/**
 * What the network has granted of an aggregate, in an accounting report. Rates are counted at layer 3, in whole kbit/s,
 * rounded down; NULL while nothing is known of a direction. The instance is that of the sluiceAggregate row.
 */
export const sluiceAggregateState = base("sluiceAggregateState", "5", "report-only", {
  pool: attribute(2, prid),
  /** From this edge to the other. */
  outgoing: nullable(3, unsigned32()),
  incoming: nullable(4, unsigned32()),
  /** Of the outgoing direction. `refused`: never granted as asked. `lost`: was granted, and is not any more. */
  state: attribute(5, enumerated({ pending: 1, confirmed: 2, refused: 3, lost: 4 })),
  /** The rate of the sluiceAggregate row that this answers, and its request. */
  answers: attribute(6, unsigned32(1)),
  request: attribute(7, unsigned32(1)),
  /** What the network said, for a person; empty if it said nothing. */
  reason: optional(8, text(0, 255), ""),
});

/**
 * A tunnel to another edge, which carries every session steered into it as one outer flow. The instance is the tunnel's
 * number, the same at both ends.
 */
export const sluiceTunnel = base("sluiceTunnel", "6", "install", {
  name: attribute(2, text(1, 64)),
  kind: attribute(3, enumerated({ ipip: 1, gre: 2, fou: 3, gue: 4, vxlan: 5 })),
  addrType: attribute(4, addressFamily),
  /** Both ends of the outer packet. */
  localAddr: attribute(5, address),
  remoteAddr: attribute(6, address),
  /** 0 with a kind that has no ports. */
  sourcePort: attribute(7, integer(0, 0xffff)),
  destinationPort: attribute(8, integer(0, 0xffff)),
  /** Octets of the largest inner packet, layer 3. */
  mtu: attribute(9, unsigned32(1280, 65_000)),
});

/**
 * A measurement that this edge makes towards another in a pool's queue, all the time (RFC 8762). The instance is the
 * pool's number.
 */
export const sluiceProbe = base("sluiceProbe", "7", "install", {
  /** The sluicePool row whose queue the test packets go through. */
  pool: attribute(2, prid),
  addrType: attribute(3, addressFamily),
  /** The reflector at the other edge. */
  remoteAddr: attribute(4, address),
  remotePort: attribute(5, integer(1, 0xffff)),
  dscp: attribute(6, integer(0, 63)),
  /** Milliseconds between test packets. */
  interval: attribute(7, unsigned32(10, 60_000)),
});

/**
 * What a measurement found since the report before, in an accounting report. Times in microseconds; NULL where no test
 * packet came back. `Out`: from this edge to the other. The instance is that of the sluiceProbe row.
 */
export const sluicePathQuality = base("sluicePathQuality", "8", "report-only", {
  pool: attribute(2, prid),
  sent: attribute(3, unsigned32()),
  lostOut: attribute(4, unsigned32()),
  lostIn: attribute(5, unsigned32()),
  /** One-way, 95th percentile. */
  latencyOut: nullable(6, unsigned32()),
  latencyIn: nullable(7, unsigned32()),
  /** Interarrival jitter (RFC 3550 §6.4.1). */
  jitterOut: nullable(8, unsigned32()),
  jitterIn: nullable(9, unsigned32()),
  /** Whether both ends said that their clocks agree; if not, a latency is half of the round trip. */
  clocks: attribute(10, enumerated({ unknown: 1, synchronised: 2 })),
});

/**
 * What a flow has carried so far, in an accounting report at the interval that the policy server asked for. A flow whose
 * counters are those of the report before is not mentioned. Octets are counted at layer 3. The instance is the flow's number.
 */
export const sluiceInterim = base("sluiceInterim", "9", "report-only", {
  clfrElement: attribute(2, prid),
  inProfilePackets: attribute(3, unsigned64),
  inProfileOctets: attribute(4, unsigned64),
  outOfProfilePackets: attribute(5, unsigned64),
  outOfProfileOctets: attribute(6, unsigned64),
});
