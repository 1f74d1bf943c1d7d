/**
 * Where IP in UDP is received: a port of the kernel's own, connected to the far end, so that nobody else's packets are taken out of
 * their UDP headers behind the firewall's rules. Pure.
 *
 * One sort of port serves both encapsulations: a header of GUE begins with version 0, an inner packet without one with the
 * version of IP, which GUE knows as its version 1 (draft-ietf-intarea-gue §4).
 */
import { familyOf, type IpFamily } from "../../model/ip.js";
import type { Tunnel } from "../port.js";

export interface FouPort {
  readonly family: IpFamily;
  readonly port: number;
  readonly local: string;
  readonly peer: string;
  readonly peerPort: number;
}

/** Undefined with a kind that the kernel receives without one. */
export function fouPortOf({ kind, local, remote, sourcePort, destinationPort }: Tunnel): FouPort | undefined {
  switch (kind) {
    case "fou":
    case "gue":
      return { family: familyOf(local) ?? 4, port: destinationPort, local, peer: remote, peerPort: sourcePort };
    case "ipip":
    case "gre":
    case "vxlan":
      return undefined;
    default:
      return kind satisfies never;
  }
}

export const sameFouPort = (left: FouPort, right: FouPort): boolean =>
  left.family === right.family &&
  left.port === right.port &&
  left.local === right.local &&
  left.peer === right.peer &&
  left.peerPort === right.peerPort;

const ends = ({ local, peer, peerPort }: FouPort): string => `local ${local} peer ${peer} peer_port ${peerPort}`;

/** Lines for `ip -batch` of the port's family. */
export const addFouPort = (port: FouPort): string => `fou add port ${port.port} gue ${ends(port)}`;
export const deleteFouPort = (port: FouPort): string => `fou del port ${port.port} ${ends(port)}`;
