/** Telling the event log which messages of a session went over the wire. */
import { formatEndpoint, unmapped } from "../model/ip.js";
import type { SessionId } from "../model/session.js";
import type { Component } from "./codec/messages.js";

export type OspMessageName = "AuthReq" | "AuthRsp" | "UsageInd" | "UsageCnf";

/** `address:port` of the two ends. */
export interface MessageEnds {
  readonly from: string;
  readonly to: string;
}

/** Called once for every component that is sent or received, also when a body is sent again. */
export type OspMessageHook = (
  direction: "sent" | "received",
  name: OspMessageName,
  session: SessionId | undefined,
  ends: MessageEnds,
) => void;

const NAMES: Readonly<Record<string, OspMessageName>> = {
  AuthorisationRequest: "AuthReq",
  AuthorisationResponse: "AuthRsp",
  UsageIndication: "UsageInd",
  UsageConfirmation: "UsageCnf",
};

/** The ladder's name of a component; undefined for those the ladder does not show. */
export const messageNameOf = (component: Pick<Component, "kind">): OspMessageName | undefined => NAMES[component.kind];

export function responseMessageName(name: OspMessageName): OspMessageName {
  return name === "AuthReq" ? "AuthRsp" : name === "UsageInd" ? "UsageCnf" : name;
}

/** An end of a TCP connection; a dual-stack socket's mapped IPv4 address is shown as IPv4. */
export function endOf(address: string | undefined, port: number | undefined): string {
  return formatEndpoint(unmapped(address ?? "?"), port ?? 0);
}
