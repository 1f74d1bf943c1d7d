/** What a proxy with a registrar is made of: who may log in, who is where, and who stands in the directory. */
import { readFileSync } from "node:fs";
import type { ProxyConfig } from "../config/proxy.js";
import { readSipAccounts, type SipAccountConfig } from "../config/sip-accounts.js";
import { SystemError } from "../model/errors.js";
import { SqliteBindingStore } from "../pep/sip/binding-store.js";
import { DIGEST_ALGORITHMS } from "../sip/auth/algorithms.js";
import { CredentialStore, type SipAccount } from "../sip/auth/credential-store.js";
import { DigestVerifier } from "../sip/auth/verifier.js";
import { HttpDirectory } from "../sip/location/directory.js";
import type { UserServices } from "../sip/proxy/user-services.js";
import { Registrar } from "../sip/registrar/registrar.js";
import type { RoleContext } from "./role.js";
import { readSharedSecret } from "./shared-secret.js";

/** Undefined for a proxy without a registrar: its users stand in the table. */
export function openUserServices(context: RoleContext<ProxyConfig>): UserServices | undefined {
  const { config, log, clock, cleanup, statePath } = context;
  const { registrar: keys, directory, flowGrace } = config.sip;
  if (keys === undefined) return undefined;
  const store = new SqliteBindingStore({ path: statePath("registrations.db"), clock, log });
  cleanup.add(() => store.close());
  const wholeSeconds = (span: number): number => Math.ceil(span / 1000);
  const registrar = new Registrar({
    clock,
    logger: log,
    store,
    users: keys.users,
    limits: {
      minExpires: wholeSeconds(keys.minExpires),
      maxExpires: wholeSeconds(keys.maxExpires),
      defaultExpires: wholeSeconds(keys.defaultExpires),
      bindings: keys.bindings,
    },
  });
  cleanup.add(() => registrar.close());
  const authentication = keys.authenticate ? authenticationOf(config, keys) : undefined;
  return {
    registrar,
    flowGrace,
    ...(authentication === undefined ? {} : { authentication }),
    ...(directory === undefined ? {} : { directory: new HttpDirectory({ url: directory, clock }) }),
  };
}

type RegistrarKeys = NonNullable<ProxyConfig["sip"]["registrar"]>;

function authenticationOf(
  { sip }: ProxyConfig,
  { algorithms, webAlgorithms }: RegistrarKeys,
): NonNullable<UserServices["authentication"]> {
  const credentials = new CredentialStore({
    accounts: sip.accounts === undefined ? [] : readSipAccounts(sip.accounts).map(accountOf),
    firstDomain: sip.domains[0] ?? "",
    ...(sip.secret === undefined ? {} : { secret: readSecret(sip.secret) }),
  });
  return {
    verifier: new DigestVerifier({ credentials }),
    credentials,
    algorithms,
    webAlgorithms,
    always: sip.requireAuth ?? true,
  };
}

function accountOf({ ha1, ...account }: SipAccountConfig): SipAccount {
  const hashes = DIGEST_ALGORITHMS.flatMap((algorithm) => {
    const hash = ha1[algorithm];
    return hash === undefined ? [] : [[algorithm, hash] as const];
  });
  return { ...account, ha1: Object.fromEntries(hashes) };
}

function readSecret(path: string): string {
  const remedy = "make one with `head -c 32 /dev/urandom | base64`, the same for the portal";
  let contents: Buffer;
  try {
    contents = readFileSync(path);
  } catch (cause) {
    throw new SystemError("SIP_SECRET", `cannot read ${path}`, { remedy, cause });
  }
  const { secret, isLongEnough } = readSharedSecret(contents);
  if (isLongEnough) return secret;
  throw new SystemError("SIP_SECRET", `the secret in ${path} is too short`, { remedy });
}
