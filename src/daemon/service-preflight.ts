/** What `sluice doctor` finds about the files of a SIP proxy and of a portal. Changes nothing. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { RoleConfig } from "../config/load.js";
import type { PortalConfig } from "../config/portal.js";
import type { ProxyConfig } from "../config/proxy.js";
import { readSipAccounts } from "../config/sip-accounts.js";
import { type KeyPairPaths, readKeyPair } from "../http/key-pair.js";
import { type Finding, fault, fine } from "../kernel/preflight/finding.js";
import { SluiceError } from "../model/errors.js";
import { readAccounts } from "../portal/accounts/accounts.js";
import { Pages } from "../portal/http/pages.js";
import { BUILT_PAGES } from "./built-pages.js";
import { DAY_MS, EXPIRY_WARNING_DAYS } from "./certificate-expiry.js";
import { readSharedSecret } from "./shared-secret.js";

const DEAD_START = "the role does not start";

/** Nothing for the roles that have no such files. Never throws. */
export function examineServices(config: RoleConfig | undefined, now: number = Date.now()): readonly Finding[] {
  switch (config?.role) {
    case "proxy":
      return examineProxy(config, now);
    case "portal":
      return examinePortal(config, now);
    default:
      return [];
  }
}

function examineProxy({ sip }: ProxyConfig, now: number): readonly Finding[] {
  const { websocket, registrar, secret, accounts } = sip;
  return [
    ...(websocket === undefined || websocket.tls === "none" ? [] : [examineTls("proxy.tls", websocket.tls, now)]),
    ...(registrar === undefined || secret === undefined ? [] : [examineSecret("proxy.secret", secret)]),
    ...(registrar === undefined || accounts === undefined
      ? []
      : [examineAccounts("proxy.accounts", accounts, () => readSipAccounts(accounts).length)]),
  ];
}

function examinePortal({ tls, publicUrl, secret, accounts, pages }: PortalConfig, now: number): readonly Finding[] {
  return [
    ...(tls === "none" ? [] : [examineTls("portal.tls", tls, now, hostOf(publicUrl))]),
    examineSecret("portal.secret", secret),
    examineAccounts("portal.accounts", accounts, () => readAccounts(accounts).size),
    examinePages(pages ?? BUILT_PAGES),
  ];
}

/** @param host - what browsers address the role by, where its file says so */
function examineTls(id: string, paths: KeyPairPaths, now: number, host?: string): Finding {
  try {
    const { certificate, until } = readKeyPair(paths);
    return (
      examineNames(id, paths.certificate, new X509Certificate(certificate), host) ??
      examineExpiry(id, paths.certificate, until, now)
    );
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    const { message: what, remedy = "", cause } = error;
    const detail = cause === undefined ? "" : String(cause);
    return fault({ id, severity: "error", what, why: DEAD_START, remedy, detail });
  }
}

/** Browsers do not look at the common name: they want subjectAltName. */
function examineNames(id: string, file: string, certificate: X509Certificate, host?: string): Finding | undefined {
  const names = certificate.subjectAltName;
  if (names !== undefined && (host === undefined || isFor(certificate, host))) return undefined;
  const wanted = host === undefined ? "DNS:NAME" : `${isIP(host) === 0 ? "DNS" : "IP"}:${host}`;
  return fault({
    id,
    severity: "error",
    what: `the certificate in ${file} is not for ${host ?? "any name"}`,
    why: "browsers refuse to connect",
    remedy: `have one made with the subjectAltName ${wanted}`,
    detail: `it has ${names ?? "no subjectAltName"}`,
  });
}

function isFor(certificate: X509Certificate, host: string): boolean {
  const isAddress = isIP(host) !== 0;
  const name = isAddress ? certificate.checkIP(host) : certificate.checkHost(host, { subject: "never" });
  return name !== undefined;
}

function examineExpiry(id: string, certificate: string, until: number, now: number): Finding {
  const remedy = "put a new one there; a role that runs takes it within a minute";
  const why = "browsers refuse to connect";
  if (until <= now) {
    return fault({ id, severity: "error", what: `the certificate in ${certificate} has run out`, why, remedy });
  }
  const days = Math.floor((until - now) / DAY_MS);
  if (days > EXPIRY_WARNING_DAYS)
    return fine(id, `key and certificate in ${certificate} belong together, for ${days} days`);
  const what = `the certificate in ${certificate} runs out in ${days} days`;
  return fault({ id, severity: "warning", what, why: `${why} from then on`, remedy });
}

function examineSecret(id: string, file: string): Finding {
  const octets = readOctets(file);
  const remedy = `head -c 32 /dev/urandom | base64 > ${file}, the same for portal and proxy`;
  const wrong = (what: string, detail = ""): Finding =>
    fault({ id, severity: "error", what, why: DEAD_START, remedy, detail });
  if (typeof octets === "string") return wrong(`${file} cannot be read`, octets);
  const { octets: length, isLongEnough } = readSharedSecret(octets);
  if (!isLongEnough) return wrong(`the secret in ${file} is too short`, `it has ${length} octets`);
  return fine(id, `the secret in ${file} can be read, and is long enough`);
}

function examineAccounts(id: string, file: string, read: () => number): Finding {
  const detail = attempt(read);
  if (typeof detail === "string") {
    const remedy = "correct the file as it says; a portal's passwords are made by `sluice portal passwd`";
    return fault({ id, severity: "error", what: `${file} is no file of accounts`, why: DEAD_START, remedy, detail });
  }
  return fine(id, `${file} has ${detail} account${detail === 1 ? "" : "s"}`);
}

function examinePages(directory: string): Finding {
  const id = "portal.page";
  const detail = attempt(() => new Pages(directory).size);
  if (typeof detail !== "string") return fine(id, `the page in ${directory} is built`);
  const what = `there is no built page in ${directory}`;
  return fault({ id, severity: "error", what, why: DEAD_START, remedy: "npm run build", detail });
}

/** Without the brackets of an IPv6 address. */
const hostOf = (url: string): string => new URL(url).hostname.replace(/^\[|\]$/g, "");

/** A text says what was wrong with it. */
function attempt(work: () => number): number | string {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SluiceError)) return String(error);
    return error.message;
  }
}

function readOctets(file: string): Buffer | string {
  try {
    return readFileSync(file);
  } catch (error) {
    return String(error);
  }
}
