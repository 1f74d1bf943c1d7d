/** What is looked at: the part of a configuration that preflight needs, or the machine in general. */
import type { BitsPerSecond } from "../../model/units.js";
import { PROTOCOL_NUMBER, TUNNEL_MARK, TunnelNames } from "../link/tunnel.js";
import type { Backend } from "../open.js";

export interface SubjectInterface {
  readonly name: string;
  /** Layer 2. */
  readonly rate: BitsPerSecond;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Subject {
  /** False: no configuration was given, so no interface is known to be ours. */
  readonly isConfigured: boolean;
  /** Name of our nftables table; also signs queues and tunnels. */
  readonly table: string;
  readonly backend: Backend;
  readonly interfaces: readonly SubjectInterface[];
  /** Whether RSVP is configured. */
  readonly rsvp?: boolean;
  /** Flows that the router may hold. */
  readonly maxFlows: number;
  /** Policy servers. */
  readonly servers: readonly Endpoint[];
  /** Bits of the packet mark that we set and that decide. */
  readonly markMask: number;
}

/** A machine without a configuration. */
export const GENERAL_SUBJECT: Subject = {
  isConfigured: false,
  table: "sluice",
  backend: "auto",
  interfaces: [],
  maxFlows: 65_536,
  servers: [],
  markMask: TUNNEL_MARK.mask,
};

/** Priority of our base chains in every hook: `mangle`. */
export const OUR_PRIORITY = -150;

/** Ours among what is shared: numbers that nobody else may use for anything else. */
export const OWN_ROUTING = {
  /** In rules and routes: who made them. */
  protocol: String(PROTOCOL_NUMBER),
  /** Preferences of the tunnels' rules, both ends included. */
  preferences: [5301, 5555],
} as const;

/** Whether a routing table's number lies where our tunnels' tables are. */
export const isOwnRouteTable = (subject: Subject, number: number): boolean =>
  new TunnelNames(subject.table).idOfRouteTable(number) !== undefined;

export const isOwnDevice = (subject: Subject, name: string): boolean =>
  new TunnelNames(subject.table).idOfDevice(name) !== undefined;
