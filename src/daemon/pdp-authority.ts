/** Who authorises the sessions of a policy server, and where their usage is settled. */
import { readFileSync } from "node:fs";
import type { PdpConfig } from "../config/pdp.js";
import { SystemError } from "../model/errors.js";
import type { SessionSide } from "../model/session.js";
import { OspClient } from "../osp/client.js";
import { loadTrust } from "../osp/token/signer.js";
import type { Authority, Grant } from "../pdp/authority.js";
import { LocalAuthority } from "../pdp/authority-local.js";
import { OspAuthority } from "../pdp/authority-osp.js";
import { ReplayStore } from "../pdp/replay-store.js";
import type { StoredDirectives } from "../pdp/session-record.js";
import type { SessionStore } from "../pdp/session-store.js";
import { TOKEN_HEADER } from "../pdp/sip/message-reading.js";
import { UsageSender } from "../pdp/usage-sender.js";
import type { RoleContext } from "./role.js";

export interface AuthorityParts {
  readonly authority: Authority;
  readonly usage?: UsageSender;
}

export function openAuthority(context: RoleContext<PdpConfig>, store: SessionStore): AuthorityParts {
  const { config, log, clock, cleanup, events } = context;
  const { clearinghouse, domain } = config;
  if (clearinghouse === "none") return { authority: new LocalAuthority(() => store.nextNumber("transaction")) };
  const client = new OspClient({
    url: clearinghouse.url,
    clock,
    log,
    timeout: clearinghouse.timeout,
    retries: clearinghouse.retries,
    // The clearinghouse knows us by the address we come from.
    localAddress: config.cops.listen.address,
    ...(clearinghouse.customerId === undefined ? {} : { customerId: clearinghouse.customerId }),
    deviceId: clearinghouse.deviceId ?? config.name,
    onMessage: (action, message, session, { from, to }) => {
      if (session !== undefined) events.record({ session, protocol: "OSP", message, action, from, to });
    },
  });
  cleanup.add(() => client.close());
  const usage = new UsageSender(store.database, client, log);
  cleanup.add(() => usage.close());
  const trust = loadTrust(clearinghouse.certificates.map(readCertificate));
  const replay = new ReplayStore(store.database, clock);
  return { authority: new OspAuthority({ client, trust, replay, domain, clock, log }), usage };
}

/** The token goes to the other side in the INVITE, and no further than its policy server. */
export function directivesOf(grant: Grant, side: SessionSide): StoredDirectives {
  if (side === "terminating") return { addHeaders: [], removeHeaders: [TOKEN_HEADER] };
  const token = grant.token === undefined ? [] : [{ name: TOKEN_HEADER, value: grant.token }];
  const hop = grant.signalAddress === undefined ? {} : { nextHop: `sip:${grant.signalAddress}` };
  return { addHeaders: token, removeHeaders: [TOKEN_HEADER], ...hop };
}

function readCertificate(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const remedy = "correct `clearinghouse.certificates`: the clearinghouse's operator hands the file out";
    throw new SystemError("CERTIFICATE_FILE", `cannot read ${path}`, { remedy, cause });
  }
}
