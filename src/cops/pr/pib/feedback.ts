/** The Framework Feedback PIB, RFC 3571: pib 5. Usage, asked for by the PDP and reported by the PEP. */
import { attribute, nullable } from "../prc.js";
import { bits, enumerated, integer, objectIdentifier, prid, truth, unsigned32, unsigned64 } from "../syntax.js";
import { baseClass } from "./class.js";

const base = baseClass("1.3.6.1.2.2.5");

export const frwkFeedbackAction = base("frwkFeedbackAction", "1.1", "install", {
  indicator: attribute(
    2,
    enumerated({ suspendMonitoringAndReports: 1, suspendReports: 2, resume: 3, solicitReport: 4 }),
  ),
  /** False: for all links. True: for those in the list. */
  specificPri: attribute(3, truth),
  list: nullable(4, unsigned32()),
});

export const frwkFeedbackActionList = base("frwkFeedbackActionList", "1.2", "install", {
  tag: attribute(2, unsigned32(1)),
  /** Instance of a frwkFeedbackLink. */
  refId: attribute(3, unsigned32(1)),
});

export const frwkFeedbackLinkCaps = base("frwkFeedbackLinkCaps", "1.3", "notify", {
  selection: attribute(2, objectIdentifier),
  usage: attribute(3, objectIdentifier),
  threshold: attribute(4, objectIdentifier),
});

export const frwkFeedbackLink = base("frwkFeedbackLink", "1.4", "install", {
  sel: attribute(2, prid),
  /** Class of the usage to report. */
  usage: attribute(3, objectIdentifier),
  /** In units of the AcctTimer. */
  interval: attribute(4, integer(0)),
  threshold: attribute(5, prid),
  /** Bits: 0 periodic, 1 threshold, 2 changeOnly. */
  flags: attribute(6, bits),
});

export const frwkFeedbackTrafficThres = base("frwkFeedbackTrafficThres", "1.5", "install", {
  packets: nullable(2, unsigned64),
  bytes: nullable(3, unsigned64),
});

export const frwkFeedbackTraffic = base("frwkFeedbackTraffic", "2.1", "report-only", {
  /** Instance of the frwkFeedbackLink that asked. */
  linkRefId: attribute(2, unsigned32(1)),
  packetCount: attribute(3, unsigned64),
  byteCount: attribute(4, unsigned64),
});

export const frwkFeedbackIfTraffic = base("frwkFeedbackIfTraffic", "2.2", "report-only", {
  linkRefId: attribute(2, unsigned32(1)),
  ifIndex: attribute(3, integer(1)),
  packetCount: attribute(4, unsigned64),
  byteCount: attribute(5, unsigned64),
});

export const frwkFeedbackRoleFilterSel = base("frwkFeedbackRoleFilterSel", "3.1", "install", {
  /** Instance of a frwkRoleCombo. */
  roleCombo: attribute(2, unsigned32()),
  filter: attribute(3, prid),
});
