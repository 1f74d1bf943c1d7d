/** How HTTP servers begin and end. */
import type { Server } from "node:http";
import type { Clock } from "../model/clock.js";
import { SystemError } from "../model/errors.js";
import { formatEndpoint } from "../model/ip.js";
import type { Millis } from "../model/units.js";

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

export interface ListenOptions {
  /** Connections that may wait to be accepted; the system's own number if undefined. */
  readonly backlog?: number;
  /** Says why the address cannot be had; `listenError` if undefined. */
  readonly failure?: (cause: NodeJS.ErrnoException, place: ListenAddress) => SystemError;
}

/** Resolves with the port in use, which tells it where 0 was asked for. @throws SystemError LISTEN_* */
export function listenOn(server: Server, place: ListenAddress, options: ListenOptions = {}): Promise<ListenAddress> {
  const { address, port } = place;
  const { backlog, failure = listenError } = options;
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => reject(failure(cause, place));
    server.once("error", failed);
    server.listen({ host: address, port, ...(backlog === undefined ? {} : { backlog }) }, () => {
      server.off("error", failed);
      const bound = server.address();
      resolve(
        typeof bound === "object" && bound !== null ? { address: bound.address, port: bound.port } : { address, port },
      );
    });
  });
}

const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: "stop the program that uses the port, or set another port under listen",
  EACCES: "use a port from 1024 up, or give the program the right to use low ports",
  EADDRNOTAVAIL: "set an address of this machine under listen",
};

function listenError(cause: NodeJS.ErrnoException, { address, port }: ListenAddress): SystemError {
  const code = cause.code ?? "UNKNOWN";
  const what = code === "EADDRINUSE" ? "the port is in use" : cause.message;
  return new SystemError(`LISTEN_${code}`, `cannot listen on ${formatEndpoint(address, port)}: ${what}`, {
    cause,
    ...(REMEDIES[code] === undefined ? {} : { remedy: REMEDIES[code] }),
  });
}

export interface Closing {
  readonly clock: Clock;
  /** For what is being answered. */
  readonly grace: Millis;
  /** Ends every connection; those that the server knows if undefined. */
  readonly cut?: () => void;
}

/** Takes no more, lets what is being answered finish for a short while, then ends every connection. */
export function closeGently(server: Server, { clock, grace, cut }: Closing): Promise<void> {
  return new Promise((resolve) => {
    const cutting = clock.after(grace, cut ?? (() => server.closeAllConnections()));
    server.close(() => {
      cutting.cancel();
      resolve();
    });
    server.closeIdleConnections();
  });
}
