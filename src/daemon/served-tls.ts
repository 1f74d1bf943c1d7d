/** Key and certificate that a role serves browsers with, for as long as it runs. */
import type { RoleConfig } from "../config/load.js";
import type { KeyPairPaths } from "../http/key-pair.js";
import { TlsFiles } from "../http/tls-files.js";
import type { Clock } from "../model/clock.js";
import { type Expiry, expiryProblems, expiryWarnings } from "./certificate-expiry.js";
import type { ControlRoutes, RoleContext } from "./role.js";

/** Undefined where another ends TLS, or there is none. @throws SystemError TLS_FILES */
export function openTlsFiles(
  { clock, log, cleanup, onReload }: RoleContext<RoleConfig>,
  paths: KeyPairPaths | "none" | undefined,
): TlsFiles | undefined {
  if (paths === undefined || paths === "none") return undefined;
  const files = new TlsFiles({ paths, clock, log });
  cleanup.add(() => files.close());
  onReload(() => files.look());
  return files;
}

/** What health says of them. */
export function tlsHealth(
  files: TlsFiles | undefined,
  certificate: Pick<Expiry, "what" | "effect">,
  clock: Pick<Clock, "now">,
): Required<Pick<ControlRoutes, "problems" | "warnings">> {
  const of = (say: (expiry: Expiry, now: number) => readonly string[]): readonly string[] =>
    files === undefined ? [] : say({ ...certificate, until: files.pair.until }, clock.now());
  return {
    problems: () => of(expiryProblems),
    warnings: () => [...of(expiryWarnings), ...refusal(files)],
  };
}

function refusal(files: TlsFiles | undefined): readonly string[] {
  if (files?.fault === undefined) return [];
  const { message, remedy } = files.fault;
  return [`key and certificate were replaced, and the former ones stay in use: ${message}; ${remedy ?? ""}`];
}
