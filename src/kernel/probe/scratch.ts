/**
 * Runs one command in a network namespace that exists for it alone, so that a feature is probed by using it: no real
 * device is touched, nothing remains, and the kernel loads the module that it would load for us. Lists of modules
 * and kernel configurations tell less.
 */
import { execa } from "execa";
import { type CommandResult, judge, type ProbeResult } from "./outcome.js";

const TIMEOUT_MS = 5000;
const MAX_OUTPUT = 1024 * 1024;

export interface ScratchCommand {
  readonly tool: string;
  readonly args: readonly string[];
  /** Standard input. */
  readonly input?: string;
}

/** Never rejects: what went wrong is part of the result. */
export type ScratchRunner = (command: ScratchCommand) => Promise<CommandResult>;

async function runIn(namespace: string, { tool, args, input = "" }: ScratchCommand): Promise<CommandResult> {
  const path = `${process.env.PATH ?? ""}:/usr/sbin:/sbin:/usr/bin:/bin`;
  const result = await execa("unshare", [namespace, "--", tool, ...args], {
    input,
    env: { LC_ALL: "C", PATH: path },
    reject: false,
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT,
  });
  return { exitCode: result.exitCode, stderr: result.stderr || (result.shortMessage ?? ""), stdout: result.stdout };
}

/** `unshare` itself was refused, not the command in it. */
const refused = (result: CommandResult): boolean => /^unshare: (unshare|write) failed/m.test(result.stderr);
const absent = (result: CommandResult): boolean =>
  result.exitCode === 127 || /^unshare: failed to execute/m.test(result.stderr);

/**
 * A new network namespace takes CAP_SYS_ADMIN, which the router need not have; in a user namespace of our own we have it,
 * where the machine allows those.
 */
export const runInScratch: ScratchRunner = async (command) => {
  const result = await runIn("--net", command);
  return refused(result) ? runIn("--map-root-user", withNet(command)) : result;
};

const withNet = ({ tool, args, ...rest }: ScratchCommand): ScratchCommand => ({
  ...rest,
  tool: "unshare",
  args: ["--net", "--", tool, ...args],
});

/** Whether the command works on this machine; a program that is not installed is missing in the tool. */
export async function probe(command: ScratchCommand, run: ScratchRunner = runInScratch): Promise<ProbeResult> {
  const result = await run(command);
  if (absent(result)) return { outcome: "missing in tool", evidence: `${command.tool} is not installed` };
  return judge(result);
}
