/** Reads a role's configuration file: all or nothing, and every problem with its place. */
import { accessSync, constants } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigError, type ConfigProblem, unreachable } from "../model/errors.js";
import { type ClearinghouseConfig, checkClearinghouse, clearinghouseSchema } from "./clearinghouse.js";
import { type CrossProblem, ROLES, type Role } from "./common.js";
import { type ConfigDocument, formatPath, type KeyPath, readDocument } from "./document.js";
import { nearest } from "./nearest.js";
import type { PathContext } from "./paths.js";
import { type PdpConfig, pdpSchema } from "./pdp.js";
import { checkPdp } from "./pdp-checks.js";
import { checkPortal, type PortalConfig, portalFiles, portalSchema } from "./portal.js";
import { problemsOf } from "./problems.js";
import { checkProxy, type ProxyConfig, proxySchema } from "./proxy.js";
import { checkRouter, type RouterConfig, routerSchema } from "./router.js";

export { ROLES, type Role } from "./common.js";
export type { ClearinghouseConfig, PdpConfig, PortalConfig, ProxyConfig, RouterConfig };

/** A checked file; `role` tells which. */
export type RoleConfig = PdpConfig | ProxyConfig | RouterConfig | ClearinghouseConfig | PortalConfig;
export type ConfigOf<R extends Role> = Extract<RoleConfig, { role: R }>;

/** Most problems that are told at once: after that many, the rest is noise. */
export const PROBLEMS_MAX = 20;

export interface LoadOptions {
  /** For `${VAR}` in paths; the process's environment if left out. */
  readonly env?: PathContext["env"];
  /** `false` lets keys and certificates be missing, to check a file on another machine than it is for. */
  readonly needFiles?: boolean;
}

/**
 * Reads and checks a file. Relative paths are taken from the file's directory.
 * @param role - the role that is wanted; any if left out
 * @throws ConfigError with the first problems, each with file, line, column and remedy
 */
export function loadConfig<R extends Role = Role>(file: string, role?: R, options: LoadOptions = {}): ConfigOf<R> {
  const document = readDocument(file);
  const found = roleOf(document, role);
  const context = { directory: dirname(resolve(file)), env: options.env ?? process.env };
  const schema = schemaOf(found, context);
  const parsed = schema.safeParse(document.value);
  if (!parsed.success) throw tooMany(problemsOf(parsed.error.issues, document, schema));
  const config: RoleConfig = parsed.data;
  const problems = [...crossProblems(config), ...(options.needFiles === false ? [] : missingFiles(config))];
  if (problems.length > 0) throw tooMany(problems.map((problem) => placed(problem, document)));
  // The schema was chosen by `found`, and `found` equals `role` where one was asked for.
  return config as ConfigOf<R>;
}

export function schemaOf(role: Role, context: PathContext) {
  switch (role) {
    case "pdp":
      return pdpSchema(context);
    case "proxy":
      return proxySchema(context);
    case "router":
      return routerSchema(context);
    case "clearinghouse":
      return clearinghouseSchema(context);
    case "portal":
      return portalSchema(context);
    default:
      return unreachable(role, "schemaOf");
  }
}

function roleOf(document: ConfigDocument, wanted: Role | undefined): Role {
  const refuse = (path: KeyPath, message: string, remedy: string): ConfigError =>
    new ConfigError("CONFIG_INVALID", [{ place: document.placeOf(path), path: formatPath(path), message, remedy }]);
  const { value } = document;
  if (value === null || value === undefined) throw refuse([], "the file is empty", 'begin with "role:" and "name:"');
  if (typeof value !== "object" || Array.isArray(value)) {
    throw refuse([], "the file must be a group of keys", 'begin with "role:" and "name:"');
  }
  const text = "role" in value ? value.role : undefined;
  if (text === undefined) throw refuse([], "role is missing", `add "role:" with one of ${ROLES.join(", ")}`);
  const role = ROLES.find((candidate) => candidate === text);
  if (role === undefined) {
    const near = nearest(String(text), ROLES);
    const remedy = near === undefined ? `use one of ${ROLES.join(", ")}` : `did you mean "${near}"?`;
    throw refuse(["role"], `role: there is no role "${String(text)}"`, remedy);
  }
  if (wanted !== undefined && role !== wanted) {
    throw refuse(
      ["role"],
      `role: this file is for a ${role}, not for a ${wanted}`,
      `run it as "${role}", or name another file`,
    );
  }
  return role;
}

function crossProblems(config: RoleConfig): readonly CrossProblem[] {
  switch (config.role) {
    case "pdp":
      return checkPdp(config);
    case "proxy":
      return checkProxy(config);
    case "router":
      return checkRouter(config);
    case "clearinghouse":
      return checkClearinghouse(config);
    case "portal":
      return checkPortal(config);
    default:
      return unreachable(config, "crossProblems");
  }
}

function missingFiles(config: RoleConfig): readonly CrossProblem[] {
  return neededFiles(config).flatMap(({ path, file }) => {
    try {
      accessSync(file, constants.R_OK);
      return [];
    } catch (error) {
      const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
      const message = isMissing ? `there is no file ${file}` : `the file ${file} may not be read by this user`;
      return [{ path, message, remedy: isMissing ? "make it, or correct the path" : "change its owner or mode" }];
    }
  });
}

function neededFiles(config: RoleConfig): readonly { readonly path: KeyPath; readonly file: string }[] {
  if (config.role === "clearinghouse") {
    return [
      { path: ["signing", "key"], file: config.signing.key },
      { path: ["signing", "certificate"], file: config.signing.certificate },
    ];
  }
  if (config.role === "portal") return portalFiles(config);
  if (config.role === "router") {
    const keys = config.rsvp?.keys ?? [];
    return keys.map(({ secretFile }, index) => ({ path: ["rsvp", "keys", index, "secretFile"], file: secretFile }));
  }
  if (config.role !== "pdp" || config.clearinghouse === "none") return [];
  return config.clearinghouse.certificates.map((file, index) => ({
    path: ["clearinghouse", "certificates", index],
    file,
  }));
}

function placed({ path, message, remedy }: CrossProblem, document: ConfigDocument): ConfigProblem {
  return { place: document.placeOf(path), path: formatPath(path), message: `${formatPath(path)}: ${message}`, remedy };
}

function tooMany(problems: readonly ConfigProblem[]): ConfigError {
  return new ConfigError("CONFIG_INVALID", problems.slice(0, PROBLEMS_MAX));
}
