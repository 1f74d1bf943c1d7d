/** One look at one thing. */
import type { ProbeResult } from "../probe/outcome.js";
import type { ScratchCommand } from "../probe/scratch.js";
import type { Finding } from "./finding.js";
import type { Machine } from "./machine.js";
import type { Sources } from "./sources/sources.js";
import type { Subject } from "./subject.js";

export interface CheckContext {
  readonly machine: Machine;
  readonly subject: Subject;
  /** Listings that several checks read, each asked for once. */
  readonly sources: Sources;
  /** Tries something in a scratch namespace; each command once. */
  readonly probe: (command: ScratchCommand) => Promise<ProbeResult>;
  /** Whether sessions can be programmed over netlink. */
  readonly netlink: () => Promise<ProbeResult>;
  /** Whether programs can be loaded and attached to the egress of devices. */
  readonly ebpf: () => Promise<ProbeResult>;
}

export interface Check {
  readonly name: string;
  readonly run: (context: CheckContext) => Promise<readonly Finding[]>;
}
