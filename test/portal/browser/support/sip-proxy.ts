/** The proxy itself, with registrar and digest, for browsers over WSS; what policy servers would say a test says. */
import { SYSTEM_CLOCK } from "../../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import { millis, type Timestamp } from "../../../../src/model/units.js";
import { CredentialStore } from "../../../../src/sip/auth/credential-store.js";
import { shortLivedCredentials } from "../../../../src/sip/auth/short-lived.js";
import { DigestVerifier } from "../../../../src/sip/auth/verifier.js";
import { ProxyCore } from "../../../../src/sip/proxy/core.js";
import { type EndKind, OPEN_POLICY, type ProxyPolicy } from "../../../../src/sip/proxy/policy.js";
import { Registrar } from "../../../../src/sip/registrar/registrar.js";
import { Transports } from "../../../../src/sip/transport/transports.js";
import { makeKey } from "../../../osp/support.js";
import { ORIGIN } from "../../support.js";

const SECRET = "a secret that portal and proxy share";
const DOMAIN = "a.example";

export interface SipProxy {
  readonly port: number;
  /** Bodies of the INVITE and of the 2xx, as they passed; and how many INVITEs and re-INVITEs did. */
  readonly seen: { offer: Buffer; answer: Buffer; offers: number };
  /** Requests whose digest was right. */
  readonly granted: () => number;
  /** How sessions ended. */
  readonly ended: EndKind[];
  readonly credentials: (user: string, expires: Timestamp) => { username: string; password: string };
  close(): Promise<void>;
}

/** @param granted - of the 2xx to its caller, and, as the proxies do, of the ACK to the callee */
export async function startSipProxy(granted: string): Promise<SipProxy> {
  const [clock, logger] = [SYSTEM_CLOCK, SILENT_LOGGER];
  const files = await makeKey("sip1.a.example");
  const registrar = new Registrar({ clock, logger });
  const credentials = new CredentialStore({ accounts: [], secret: SECRET, firstDomain: DOMAIN });
  const verifier = new DigestVerifier({ credentials });
  const transport = await Transports.open({
    addresses: [{ address: "127.0.0.1", port: 0 }],
    webSocket: {
      addresses: [{ address: "127.0.0.1", port: 0 }],
      path: "/",
      origins: [ORIGIN],
      tls: { key: files.keyPem, certificate: files.certificatePem },
    },
    clock,
    logger,
  });
  const seen: SipProxy["seen"] = { offer: Buffer.alloc(0), answer: Buffer.alloc(0), offers: 0 };
  const ended: EndKind[] = [];
  const headers = [{ name: "Sluice-Granted", value: granted }];
  const policy: ProxyPolicy = {
    ...OPEN_POLICY,
    invite: async (_context, { body }) => {
      seen.offer = body;
      seen.offers += 1;
      return { forward: true };
    },
    response: async (_context, { status, body }) => {
      if (status < 200) return { forward: true };
      seen.answer = body;
      return { forward: true, addHeaders: headers, ackHeaders: headers };
    },
    reoffer: async () => {
      seen.offers += 1;
      return { forward: true };
    },
    ended: async (_context, kind) => {
      ended.push(kind);
    },
  };
  const core = new ProxyCore({
    transport,
    clock,
    logger,
    policy,
    table: { domains: [DOMAIN], users: new Map(), routes: new Map() },
    users: {
      registrar,
      authentication: { verifier, credentials, algorithms: ["SHA-256"], webAlgorithms: ["MD5"], always: true },
      flowGrace: millis(500),
    },
  });
  return {
    port: transport.locals.find((local) => local.transport === "wss")?.port ?? 0,
    seen,
    granted: () => verifier.counters.granted,
    ended,
    credentials: (user, expires) => shortLivedCredentials(SECRET, user, expires),
    close: async () => {
      core.close();
      registrar.close();
      await transport.close();
      await files.remove();
    },
  };
}
