/** Preflight of a machine: every check, its findings in the order of the table. */
import type { ProbeResult } from "../probe/outcome.js";
import { probe, type ScratchCommand, type ScratchRunner } from "../probe/scratch.js";
import type { Check, CheckContext } from "./check.js";
import { backendChecks } from "./checks/backend.js";
import { capabilityCheck } from "./checks/capabilities.js";
import { ebpfChecks } from "./checks/ebpf.js";
import { featureChecks } from "./checks/features.js";
import { foreignRuleChecks } from "./checks/foreign-rules.js";
import { forwardingChecks } from "./checks/forwarding.js";
import { htbChecks } from "./checks/htb.js";
import { clockCheck, limitChecks } from "./checks/limits.js";
import { linkChecks } from "./checks/links.js";
import { nameChecks } from "./checks/names.js";
import { neighbourChecks } from "./checks/neighbours.js";
import { offloadChecks } from "./checks/offload.js";
import { serverCheck } from "./checks/servers.js";
import { tunnelChecks } from "./checks/tunnels.js";
import { nodeCheck, versionChecks } from "./checks/versions.js";
import { type Finding, unseen } from "./finding.js";
import { type Machine, once } from "./machine.js";
import { sourcesOf } from "./sources/sources.js";
import type { Subject } from "./subject.js";

/** For a router. */
export const ROUTER_CHECKS: readonly Check[] = [
  capabilityCheck,
  ...versionChecks,
  ...backendChecks,
  ...featureChecks,
  ...tunnelChecks,
  ...ebpfChecks,
  ...linkChecks,
  ...htbChecks,
  ...forwardingChecks,
  ...offloadChecks,
  ...nameChecks,
  ...foreignRuleChecks,
  ...neighbourChecks,
  ...limitChecks,
  serverCheck,
];

/** For the roles that do not touch the kernel. */
export const USER_CHECKS: readonly Check[] = [nodeCheck, clockCheck];

export interface PreflightOptions {
  readonly machine: Machine;
  /** Runs probes where they can do no harm. */
  readonly scratch: ScratchRunner;
  readonly subject: Subject;
  /** Opens netlink as a router would. */
  readonly netlink: () => Promise<ProbeResult>;
  /** Loads and attaches as a router would. */
  readonly ebpf: () => Promise<ProbeResult>;
  readonly checks?: readonly Check[];
}

/** Changes nothing on the machine. Never rejects: a check that fails is itself a finding. */
export async function preflight(options: PreflightOptions): Promise<readonly Finding[]> {
  const { machine, scratch, subject, netlink, ebpf, checks = ROUTER_CHECKS } = options;
  const context: CheckContext = {
    machine,
    subject,
    sources: sourcesOf(machine),
    probe: eachOnce((command) => probe(command, scratch)),
    netlink: once(netlink),
    ebpf: once(ebpf),
  };
  return (await Promise.all(checks.map((check) => runCheck(check, context)))).flat();
}

async function runCheck(check: Check, context: CheckContext): Promise<readonly Finding[]> {
  try {
    return await check.run(context);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [unseen(check.name, check.name, `the check itself failed: ${reason}`, "please report it")];
  }
}

function eachOnce(run: (command: ScratchCommand) => Promise<ProbeResult>): CheckContext["probe"] {
  const answers = new Map<string, Promise<ProbeResult>>();
  return (command) => {
    const key = JSON.stringify(command);
    const answer = answers.get(key) ?? run(command);
    answers.set(key, answer);
    return answer;
  };
}
