/** `sluice run ROLE`: one role in the foreground until it is told to stop. */
import { loadConfig, type Role } from "../config/load.js";
import type { Logger } from "../model/log.js";
import { createLogger } from "../telemetry/logger.js";
import { type CliIo, EXIT } from "./io.js";

/** A role that does not close in this time is left: its state is durable at every moment. */
const CLOSE_TIMEOUT_MS = 10_000;
/** For what was printed to leave the process. */
const EXIT_DELAY_MS = 500;

interface RunningRole {
  reload(): void;
  close(): Promise<void>;
}

export async function run(role: Role, file: string, io: CliIo): Promise<number> {
  const config = loadConfig(file, role, { env: io.env });
  const log = createLogger({ level: config.log.level, fields: { role, name: config.name } });
  // Loaded here only: the other verbs need neither the native modules nor the time to load them.
  const { runRole } = await import("../daemon/run.js");
  const stop = stopSignal();
  crashLoudly(log);
  try {
    const daemon = await runRole(config, { log });
    process.on("SIGHUP", () => daemon.reload());
    log.info("role.started", { pid: process.pid, config: file });
    const signal = await stop.signal;
    log.info("role.stopping", { signal });
    return await closeInTime(daemon, log);
  } finally {
    stop.release();
    // A handle left open somewhere must not keep a stopped process up.
    setTimeout(() => process.exit(), EXIT_DELAY_MS).unref();
  }
}

interface StopSignal {
  readonly signal: Promise<NodeJS.Signals>;
  readonly release: () => void;
}

function stopSignal(): StopSignal {
  // Also while the role starts: by default it would end the process.
  process.on("SIGHUP", () => undefined);
  // Nothing else may keep the process up: a role without sockets is still running.
  const alive = setInterval(() => undefined, 60_000);
  const signal = new Promise<NodeJS.Signals>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
  return { signal, release: () => clearInterval(alive) };
}

async function closeInTime(daemon: RunningRole, log: Logger): Promise<number> {
  const isClosed = await inTime(daemon.close());
  if (isClosed) {
    log.info("role.stopped");
    return EXIT.ok;
  }
  log.error("role.stop.slow", { afterMs: CLOSE_TIMEOUT_MS });
  return EXIT.findings;
}

/** A defect ends the process, so that it is started anew from its durable state; the log says why. */
function crashLoudly(log: Logger): void {
  const crash = (error: unknown): void => {
    log.error("role.crashed", { error, stack: error instanceof Error ? error.stack : undefined });
    process.exit(1);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
}

function inTime(closing: Promise<void>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(false), CLOSE_TIMEOUT_MS);
    closing.then(() => resolve(true), reject).finally(() => clearTimeout(timer));
  });
}
