/** The session ladder every trace and every demo shows: 29 messages up, 18 down (docs/ARCHITECTURE.md). */
import type { LadderProtocol } from "./event.js";

export type LadderHost = "UAC" | "SIP1" | "POL1" | "R1" | "CH" | "R2" | "POL2" | "SIP2" | "UAS";

export interface LadderStep {
  readonly n: number;
  readonly from: LadderHost;
  readonly to: LadderHost;
  readonly protocol: LadderProtocol;
  readonly message: string;
}

type Row = readonly [LadderHost, LadderHost, LadderProtocol, string];

const numbered = (rows: readonly Row[]): readonly LadderStep[] =>
  rows.map(([from, to, protocol, message], index) => ({ n: index + 1, from, to, protocol, message }));

export const SETUP_LADDER = numbered([
  ["UAC", "SIP1", "SIP", "INVITE"],
  ["SIP1", "POL1", "COPS", "REQ AAA"],
  ["POL1", "CH", "OSP", "AuthReq"],
  ["CH", "POL1", "OSP", "AuthRsp"],
  ["POL1", "SIP1", "COPS", "DEC"],
  ["SIP1", "SIP2", "SIP", "INVITE"],
  ["SIP2", "POL2", "COPS", "REQ AAA"],
  ["POL2", "CH", "OSP", "AuthReq"],
  ["CH", "POL2", "OSP", "AuthRsp"],
  ["POL2", "SIP2", "COPS", "DEC"],
  ["SIP2", "UAS", "SIP", "INVITE"],
  ["UAS", "SIP2", "SIP", "180"],
  ["SIP2", "POL2", "COPS", "REQ LDP"],
  ["POL2", "R2", "COPS", "DEC Install"],
  ["R2", "POL2", "COPS", "RPT"],
  ["POL2", "SIP2", "COPS", "DEC"],
  ["SIP2", "SIP1", "SIP", "180"],
  ["SIP1", "POL1", "COPS", "REQ LDP"],
  ["POL1", "R1", "COPS", "DEC Install"],
  ["R1", "POL1", "COPS", "RPT"],
  ["POL1", "SIP1", "COPS", "DEC"],
  ["SIP1", "UAC", "SIP", "180"],
  ["UAS", "SIP2", "SIP", "200"],
  ["SIP2", "SIP1", "SIP", "200"],
  ["SIP1", "UAC", "SIP", "200"],
  ["UAC", "SIP1", "SIP", "ACK"],
  ["SIP1", "SIP2", "SIP", "ACK"],
  ["SIP2", "UAS", "SIP", "ACK"],
  ["UAC", "UAS", "RTP", "media"],
]);

export const TEARDOWN_LADDER = numbered([
  ["UAC", "SIP1", "SIP", "BYE"],
  ["SIP1", "SIP2", "SIP", "BYE"],
  ["SIP2", "UAS", "SIP", "BYE"],
  ["SIP1", "POL1", "COPS", "REQ noLDP"],
  ["POL1", "R1", "COPS", "DEC Remove"],
  ["R1", "POL1", "COPS", "RPT"],
  ["POL1", "SIP1", "COPS", "DEC"],
  ["POL1", "CH", "OSP", "UsageInd"],
  ["CH", "POL1", "OSP", "UsageCnf"],
  ["UAS", "SIP2", "SIP", "200"],
  ["SIP2", "SIP1", "SIP", "200"],
  ["SIP1", "UAC", "SIP", "200"],
  ["SIP2", "POL2", "COPS", "REQ noLDP"],
  ["POL2", "R2", "COPS", "DEC Remove"],
  ["R2", "POL2", "COPS", "RPT"],
  ["POL2", "SIP2", "COPS", "DEC"],
  ["POL2", "CH", "OSP", "UsageInd"],
  ["CH", "POL2", "OSP", "UsageCnf"],
]);
