/** `sluice doctor`: what is wrong with this machine and the roles on it; each finding with the command that mends it. */
import { loadConfig } from "../config/load.js";
import type { Finding } from "../daemon/preflight.js";
import { reportText } from "./doctor-report.js";
import { examineRoles } from "./doctor-roles.js";
import { type CliIo, EXIT, type OutputFormat, wantsColor, writeJson } from "./io.js";
import type { TargetOptions } from "./roles.js";

export interface DoctorOptions extends TargetOptions {
  readonly output: OutputFormat;
  /** Of the role that runs here, or is going to. */
  readonly config?: string;
  /** Lists what is well, too. */
  readonly all?: boolean;
}

/**
 * @returns 0 when nothing is wrong, 1 with warnings or errors, 2 when nothing is wrong as far as could be looked
 * @throws ConfigError for a configuration that cannot be used
 */
export async function doctor(options: DoctorOptions, io: CliIo): Promise<number> {
  const config = options.config === undefined ? undefined : loadConfig(options.config, undefined, { env: io.env });
  // Loaded here only: the other verbs need neither the native modules nor the time to load them.
  const [{ examine }, { examineRsvp }, { examineStamp }, { examineServices }] = await Promise.all([
    import("../daemon/preflight.js"),
    import("../daemon/rsvp-preflight.js"),
    import("../daemon/stamp-preflight.js"),
    import("../daemon/service-preflight.js"),
  ]);
  const findings = await Promise.all([
    examine(config),
    config?.role === "router" ? examineRsvp(config) : [],
    config?.role === "router" ? examineStamp(config) : [],
    examineServices(config),
    examineRoles(options, config),
  ]).then((parts) => parts.flat());
  if (options.output === "json") writeJson(io, "doctor", { items: findings });
  else io.out(reportText(findings, { all: options.all === true, color: wantsColor(io) }));
  return exitCode(findings);
}

function exitCode(findings: readonly Finding[]): number {
  const has = (severity: Finding["severity"]): boolean => findings.some((finding) => finding.severity === severity);
  if (has("error") || has("warning")) return EXIT.findings;
  return has("unknown") ? EXIT.failed : EXIT.ok;
}
