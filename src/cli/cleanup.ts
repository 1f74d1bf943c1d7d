/** `sluice cleanup -c FILE`: takes everything of a router out of the kernel, and nothing else; no role need run. */
import { loadConfig } from "../config/load.js";
import { controlRequest } from "../control/client.js";
import { SystemError } from "../model/errors.js";
import { SILENT_LOGGER } from "../model/log.js";
import { type CliIo, EXIT, type OutputFormat, writeJson } from "./io.js";
import { renderSteps, stepLines } from "./steps.js";

export interface CleanupOptions {
  readonly config: string;
  readonly output: OutputFormat;
  /** Prints what would be run, and changes nothing. */
  readonly dryRun?: boolean;
  /** Although the router runs: it will put everything back. */
  readonly force?: boolean;
}

/** @throws SystemError ROLE_RUNNING; KernelError KERNEL_PERMISSION for who is not root. */
export async function cleanup(options: CleanupOptions, io: CliIo): Promise<number> {
  const { dryRun = false, force = false } = options;
  const config = loadConfig(options.config, "router", { env: io.env });
  if (!dryRun && !force) await refuseRunning(config.control);
  // Loaded here only: the other verbs need neither the native modules nor the time to load them.
  const { cleanupRouter } = await import("../daemon/cleanup-router.js");
  const { steps, skipped } = await cleanupRouter(config, dryRun, SILENT_LOGGER);
  if (options.output === "json") {
    writeJson(io, "cleanup", { dryRun, items: steps, skipped });
    return EXIT.ok;
  }
  if (dryRun) io.out(renderSteps(steps));
  else for (const line of stepLines(steps)) io.out(`removed: ${line}\n`);
  for (const { backend, why } of skipped) io.err(`sluice: ${backend} was not looked at: ${why}\n`);
  if (steps.length === 0) io.err(`sluice: nothing of ${config.name} is in the kernel\n`);
  return EXIT.ok;
}

/** In doubt it runs. */
async function refuseRunning(control: string): Promise<void> {
  try {
    await controlRequest(control, "/v1/health");
  } catch (error) {
    if (error instanceof SystemError && error.code === "CONTROL_UNREACHABLE") return;
  }
  throw new SystemError("ROLE_RUNNING", `the router at ${control} is running, and would put everything back`, {
    remedy: "stop it first, or use --force",
  });
}
