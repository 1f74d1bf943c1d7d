/** The Framework PIB, RFC 3318: pib 2. */
import { attribute, nullable } from "../prc.js";
import { enumerated, integer, objectIdentifier, octetString, prid, text, truth, unsigned32 } from "../syntax.js";
import { baseClass, extendingClass } from "./class.js";

const base = baseClass("1.3.6.1.2.2.2");
const extending = extendingClass("1.3.6.1.2.2.2");

export const frwkPrcSupport = base("frwkPrcSupport", "1.1", "notify", {
  supportedPrc: attribute(2, objectIdentifier),
  /** One bit per attribute, the first attribute in the highest bit of the first octet. */
  supportedAttrs: attribute(3, octetString()),
});

export const frwkPibIncarnation = base("frwkPibIncarnation", "1.2", "install-notify", {
  name: attribute(2, text()),
  id: attribute(3, octetString(0, 255)),
  longevity: attribute(4, enumerated({ expireNever: 1, expireImmediate: 2, expireOnTimeout: 3 })),
  /** Seconds, for expireOnTimeout. */
  ttl: nullable(5, unsigned32()),
  inCtxtSet: attribute(6, truth),
  active: attribute(7, truth),
  fullState: attribute(8, truth),
});

export const frwkDeviceId = base("frwkDeviceId", "1.3", "notify", {
  descr: attribute(2, text(1, 255)),
  /** Octets of the largest message that the device can take. */
  maxMsg: attribute(3, unsigned32(64)),
  maxContexts: attribute(4, unsigned32(1)),
});

export const frwkCompLimits = base("frwkCompLimits", "1.4", "notify", {
  component: attribute(2, objectIdentifier),
  attrPos: attribute(3, unsigned32()),
  negation: attribute(4, truth),
  type: attribute(5, integer(1, 5)),
  subType: attribute(6, integer(1)),
  guidance: attribute(7, octetString()),
});

export const frwkReference = base("frwkReference", "1.5", "install-notify", {
  clientType: attribute(2, unsigned32(0, 0xffff)),
  clientHandle: attribute(3, octetString()),
  /** In another context, so it is no reference that this one could check. */
  instance: attribute(4, objectIdentifier),
});

export const frwkError = base("frwkError", "1.6", "install", {
  code: attribute(2, unsigned32(0, 0xffff)),
  subCode: attribute(3, unsigned32(0, 0xffff)),
  prc: attribute(4, objectIdentifier),
  instance: attribute(5, unsigned32()),
});

export const frwkCapabilitySet = base("frwkCapabilitySet", "2.1", "notify", {
  name: attribute(2, text(1, 255)),
  capability: attribute(3, prid),
});

export const frwkRoleCombo = base("frwkRoleCombo", "2.2", "install-notify", {
  roles: attribute(2, text()),
  capSetName: attribute(3, text()),
});

export const frwkIfRoleCombo = extending("frwkIfRoleCombo", "2.3", frwkRoleCombo, "install-notify", {
  ifIndex: attribute(1, integer(1)),
});

export const frwkBaseFilter = base("frwkBaseFilter", "3.1", "install", {
  negation: attribute(2, truth),
});

const port = unsigned32(0, 65535);

export const frwkIpFilter = extending("frwkIpFilter", "3.2", frwkBaseFilter, "install", {
  addrType: attribute(1, enumerated({ ipv4: 1, ipv6: 2 })),
  dstAddr: attribute(2, octetString(0, 16)),
  dstPrefixLength: attribute(3, unsigned32(0, 128)),
  srcAddr: attribute(4, octetString(0, 16)),
  srcPrefixLength: attribute(5, unsigned32(0, 128)),
  /** -1 is any. */
  dscp: attribute(6, integer(-1, 63)),
  /** IPv6 flow label; -1 is any. */
  flowId: attribute(7, integer(-1, 0xfffff)),
  /** 255 is any. */
  protocol: attribute(8, unsigned32(0, 255)),
  dstL4PortMin: attribute(9, port),
  dstL4PortMax: attribute(10, port),
  srcL4PortMin: attribute(11, port),
  srcL4PortMax: attribute(12, port),
});
