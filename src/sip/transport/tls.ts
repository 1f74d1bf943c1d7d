/** TLS of WebSocket listeners. Key and certificate may be replaced while connections are open. */
import type { Server } from "node:net";
import { Server as TlsServer } from "node:tls";
import { SystemError } from "../../model/errors.js";
import { secureOptions, type TlsMaterial } from "../../model/tls.js";

/** For connections to come: those that are open stay. @throws SystemError SIP_TLS */
export function replaceTls(servers: readonly Server[], tls: TlsMaterial): void {
  withTls(() => {
    for (const server of servers) if (server instanceof TlsServer) server.setSecureContext(secureOptions(tls));
  });
}

/** @throws SystemError SIP_TLS for whatever is thrown in it */
export function withTls<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    throw new SystemError("SIP_TLS", `the TLS key and certificate cannot be used: ${String(cause)}`, {
      cause,
      remedy: "check that both are PEM, belong together, and that the key has no passphrase",
    });
  }
}
